"""The generation that is served now, and the swap to the next one.

Readers take one reference and keep it for a whole request; publishing replaces the reference and disturbs nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from index.catalog import Catalog
from index.embedding import Embedder
from index.errors import GenerationDamaged, GenerationIncompatible, IndexingError, NoGeneration
from index.generation import Generation
from index.reranking import Reranker
from index.searcher import Searcher
from ingest.article import ArticleId, IngestError

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.5
"""How often a server looks whether another process has published a generation or removed an article."""


class LiveIndex:
    """Holds the searcher of the current generation.

    Args:
        catalog: Where generations are published.
        embedder: The model that questions are asked with.
        removed: Gives the articles that must not be found any more, though the generation may hold them.
        reranker: Reads the best passages again, if there is one.
    """

    def __init__(
        self,
        catalog: Catalog,
        embedder: Embedder,
        removed: Callable[[], frozenset[ArticleId]] = frozenset,
        reranker: Reranker | None = None,
    ) -> None:
        self._catalog = catalog
        self._embedder = embedder
        self._removed = removed
        self._reranker = reranker
        self._searcher: Searcher | None = None
        self._problems: tuple[IndexingError, ...] = ()
        self._seen: tuple[str | None, tuple[str, ...]] | None = None
        self._refreshing = threading.Lock()
        self._stopped = threading.Event()
        self._watcher: threading.Thread | None = None

    def searcher(self) -> Searcher:
        """Give the searcher of the current generation.

        Raises:
            NoGeneration: There is none yet, or none that can be opened.
        """
        searcher = self._searcher
        if searcher is None:
            reasons = "; ".join(str(problem) for problem in self._problems)
            raise NoGeneration(reasons or "there is no index yet; add articles and run 'byline build'")
        return searcher

    @property
    def embedder(self) -> Embedder:
        """What embeds questions."""
        return self._embedder

    @property
    def problems(self) -> tuple[IndexingError, ...]:
        """What is wrong with generations that should have been served; empty when all is well."""
        return self._problems

    def refresh(self) -> bool:
        """Open the generation that is published now, if it is another; tells whether the served one changed.

        A generation that is damaged or of another model is not served: the newest good one is, and `problems` says
        so.
        """
        with self._refreshing:
            changed = self._open_published()
            self._hide_removed()
            return changed

    def hide_removed(self) -> None:
        """Have removed articles found no more, from the next search on; searches that run go on as they began."""
        with self._refreshing:
            self._hide_removed()

    def _hide_removed(self) -> None:
        searcher = self._searcher
        if searcher is None:
            return
        hidden = searcher.without(self._removed())
        if hidden.removed != searcher.removed:
            self._searcher = hidden
            log.info("articles hidden", generation=searcher.generation.name, articles=len(hidden.removed))

    def _open_published(self) -> bool:
        published = (self._catalog.current(), tuple(self._catalog.names()))
        # What could not be opened is not read again and again, but as soon as anything is published or gone.
        if published == self._seen or (self._is_well() and self._seen and published[0] == self._seen[0]):
            return False
        removed = self._removed()
        self._seen = published
        try:
            opened = self._catalog.open_newest_good(
                lambda folder: Searcher(Generation.open(folder), self._embedder, removed, self._reranker)
            )
        except NoGeneration:
            return False
        except (GenerationDamaged, GenerationIncompatible) as error:
            self._problems = (error,)
            log.error("no generation can be opened", reason=str(error))
            return False
        self._problems = opened.problems
        for problem in opened.problems:
            log.warning("generation refused", reason=str(problem), serving=opened.name)
        changed = self._searcher is None or self._searcher.generation.name != opened.name
        self._searcher = opened.value
        log.info("generation opened", generation=opened.name, chunks=opened.value.generation.chunk_count)
        return changed

    def _is_well(self) -> bool:
        return self._searcher is not None and not self._problems

    def watch(self) -> None:
        """Look for new generations in a thread of its own until `close`."""
        self._watcher = threading.Thread(target=self._poll, name="index-watch", daemon=True)
        self._watcher.start()

    def _poll(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            try:
                self.refresh()
            except (OSError, SQLAlchemyError, IngestError):
                # What is served goes on being served.
                log.exception("looking for a new generation failed")

    def close(self) -> None:
        """Stop watching."""
        self._stopped.set()
        if self._watcher is not None:
            self._watcher.join(timeout=5)
