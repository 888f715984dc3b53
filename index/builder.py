"""The library's articles to a new, published generation.

An article whose content did not change is taken over from the current generation, as long as that one was made with
the same model and settings; all others are cut and embedded anew, some dozens at a time, and kept on disk as they
are done: memory does not grow with the library, and a build that is interrupted goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from index.catalog import Catalog
from index.cutting import CutArticle, Embedding, chunking_record, cut
from index.dense import EXACT_ROWS
from index.embedding import Embedder
from index.errors import BuildCancelled, GenerationDamaged, GenerationIncompatible, NoGeneration
from index.generation import Generation
from index.manifest import FORMAT_VERSION, EmbeddingRecord, Manifest, UnsealedManifest, generation_of, seal
from index.merging import Source, Written, runs_of, write_computed, write_merged
from index.passages import IndexedArticle
from index.reports import BuildReport, Changes, Phase, Plan, Progress, Skipped, Work, difference
from index.runtimes import computed_otherwise
from index.unfinished import UnfinishedBuild
from ingest.article import Article, ArticleId, IngestError
from ingest.chunking import ChunkingSettings
from ingest.cleaning import CLEANING_VERSION
from ingest.failpoints import reach

PART_ARTICLES = 64
"""Articles embedded in one go: enough to sort texts by length, few enough to show progress and to lose little."""

_PACE_ARTICLES = 32
"""Articles that a build must embed to tell at which pace it does."""


class ArticleSource(Protocol):
    """Where a build takes articles from; `ingest.library.ArticleLibrary` is one."""

    def digests(self) -> dict[ArticleId, str]:
        """Give the content hash of every article, by id."""

    def read(self, articles: Sequence[ArticleId]) -> Iterator[Article | IngestError]:
        """Give articles by their ids; a damaged one comes as its error, one that is gone does not come."""

    def characters(self, articles: Sequence[ArticleId]) -> int:
        """Count the characters of the texts of articles."""


class GivenArticles:
    """Articles in memory, as a source for a build."""

    def __init__(self, articles: Iterable[Article]) -> None:
        self._articles = {article.id: article for article in articles}

    def digests(self) -> dict[ArticleId, str]:
        """Give the content hash of every article, by id."""
        return {article.id: article.content_hash for article in self._articles.values()}

    def read(self, articles: Sequence[ArticleId]) -> Iterator[Article]:
        """Give articles by their ids."""
        return (self._articles[article] for article in articles)

    def characters(self, articles: Sequence[ArticleId]) -> int:
        """Count the characters of the texts of articles."""
        return sum(len(self._articles[article].text) for article in articles)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What decides how an article becomes rows of an index."""

    embedder: Embedder
    chunking: ChunkingSettings
    exact_rows: int

    def chunking_record(self) -> dict[str, int | str]:
        return chunking_record(self.chunking)

    def fingerprint(self, full: bool) -> str:
        """Name what was embedded by this recipe; a full build takes nothing from one that is not."""
        embedder = self.embedder
        made_by = [embedder.model_sha256, str(embedder.engine)]
        parts = [FORMAT_VERSION, *made_by, self.chunking_record(), CLEANING_VERSION, full]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest()[:16]

    def difference(self, manifest: Manifest) -> str | None:
        """Say why nothing of a generation can be taken over, None where it can."""
        made_with, engine = manifest.embedding.engine, self.embedder.engine
        return difference(
            manifest,
            model=self.embedder.name,
            model_sha256=self.embedder.model_sha256,
            engine=None if made_with == engine else computed_otherwise(str(engine), made_with),
            chunking=self.chunking_record(),
            cleaning=CLEANING_VERSION,
        )


class Builder:
    """Makes generations with one embedding model and one setting of chunk sizes.

    Up to `exact_rows` chunks its vector index is exact; see `index.dense.choose_kind`.
    """

    def __init__(
        self,
        catalog: Catalog,
        embedder: Embedder,
        chunking: ChunkingSettings,
        *,
        exact_rows: int = EXACT_ROWS,
    ) -> None:
        self._catalog = catalog
        self._recipe = _Recipe(embedder, chunking, exact_rows)

    def build(
        self,
        library: ArticleSource,
        *,
        full: bool = False,
        keep: int = 3,
        on_plan: Callable[[Plan], None] = lambda _: None,
        on_progress: Callable[[Progress], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> BuildReport:
        """Bring the index up to date with the library and publish the new generation.

        Args:
            library: All articles; a damaged one is reported and left out.
            full: Embed everything again, even what did not change.
            keep: Generations kept afterwards, the new one included.
            on_plan: Told what is about to be done, before anything is embedded.
            on_progress: Called from this thread.
            cancelled: Asked between steps; True ends the build, and what it has embedded waits for the next one.

        Returns:
            What was done. Nothing is built where the current generation already holds the library as it is.

        Raises:
            BuildRunning: Another process or thread is building.
            BuildCancelled: `cancelled` said so.
            StorageFull: No space left; the current generation is kept.
        """
        with self._catalog.writer():
            reach("build.begun")
            base, healthy = self._base()
            reason = None
            if base is not None:
                reason = "a full build was asked for" if full else self._recipe.difference(base.manifest)
            unfinished = UnfinishedBuild(self._catalog.root, self._recipe.fingerprint(full))
            build = _Build(self._recipe, unfinished, library, base, reason, _Steps(on_progress, cancelled))
            if not (healthy and build.changes_nothing()):
                build.embed(on_plan)
            if healthy and build.changes_nothing():
                unfinished.drop()
                return build.report(build.base_name, built=False)
            name = build.publish(self._catalog)
            unfinished.drop()
            self._catalog.prune(keep)
            return build.report(name, built=True)

    def _base(self) -> tuple[Source | None, bool]:
        """Give the newest good generation, and whether it is the one that should be served."""
        try:
            opened = self._catalog.open_newest_good(Source.open)
        except NoGeneration:
            return None, True
        except (GenerationDamaged, GenerationIncompatible):
            return None, False  # this build is the remedy
        return opened.value, not opened.problems


class _Build:
    """One build: what the library holds, where each of its articles is taken from, and what that makes."""

    def __init__(
        self,
        recipe: _Recipe,
        unfinished: UnfinishedBuild,
        library: ArticleSource,
        base: Source | None,
        reason: str | None,
        steps: _Steps,
    ) -> None:
        self._recipe = recipe
        self._unfinished = unfinished
        self._library = library
        self._base = base
        self._reason = reason
        self._steps = steps
        self._reusable = base if reason is None else None
        self._sources = [self._reusable] if self._reusable is not None else []
        self._picks: dict[ArticleId, tuple[int, int]] = {}
        self._skipped: list[Skipped] = []
        self._started_embedding = False
        self._resumed_from = len(self._sources)
        self._embedded_from = len(self._sources)
        self._pace = base.manifest.embedding_pace if base is not None else 0.0
        self._wanted = dict(sorted(library.digests().items()))
        self._steps.at("read", len(self._wanted), len(self._wanted))
        reach("build.read")
        held = base.manifest.articles if base is not None else {}
        self._changes = Changes.between(held, {str(article): digest for article, digest in self._wanted.items()})

    @property
    def base_name(self) -> str:
        """Name of the generation that was there before."""
        return self._base.manifest.generation if self._base is not None else ""

    def changes_nothing(self) -> bool:
        """Tell whether the generation that is there is what this build would make."""
        if self._reusable is None:
            return False
        if not self._changes.any:
            return True
        # After reading: all that differs from what is there may be articles that cannot be read.
        return bool(self._skipped) and self._held() == self._reusable.manifest.articles

    def embed(self, on_plan: Callable[[Plan], None]) -> None:
        """Find out where each article is taken from, and embed those that are nowhere yet."""
        if self._reusable is not None:
            self._pick(0)
        self._resumed_from = len(self._sources)
        for part in self._unfinished.sources():
            self._sources.append(part)
            self._pick(len(self._sources) - 1)
        self._embedded_from = len(self._sources)
        missing = [article for article in self._wanted if article not in self._picks]
        on_plan(self._plan(missing))
        if missing:
            with ThreadPoolExecutor(1, thread_name_prefix="embedding") as thread:
                self._embed_all(missing, thread)

    def _embed_all(self, missing: list[ArticleId], thread: Executor) -> None:
        """Embed part by part: beside the embedding of one, the one before is written and the next is read and cut."""
        work = Work(len(missing), self._library.characters(missing))
        running: Embedding | None = None
        try:
            for first in range(0, len(missing), PART_ARTICLES):
                cuts = self._cut(missing[first : first + PART_ARTICLES], len(missing))
                done = self._wait(running, work)
                running = Embedding(cuts, self._recipe.embedder, thread) if cuts else None
                self._keep(done)
            self._keep(self._wait(running, work))
        except BaseException:
            if running is not None:
                running.stop()
            raise

    def _pick(self, number: int) -> None:
        """Take over what a source holds of the library as it is, unless an earlier source does."""
        source = self._sources[number]
        for row, article in enumerate(map(ArticleId, source.ids)):
            if article not in self._picks and self._wanted.get(article) == source.manifest.articles[article]:
                self._picks[article] = (number, row)

    def _plan(self, missing: list[ArticleId]) -> Plan:
        seconds = None
        if self._pace and missing:
            seconds = self._library.characters(missing) / self._pace
        resumed = sum(source >= self._resumed_from for source, _ in self._picks.values())
        return Plan(len(self._wanted), len(missing), resumed, self._reason, seconds)

    def _cut(self, part: Sequence[ArticleId], total: int) -> list[CutArticle]:
        """Read and cut some articles; those that cannot be read are noted."""
        embedder = self._recipe.embedder
        _ = embedder.dimension  # loads the model, before any clock starts
        cuts: list[CutArticle] = []
        for entry in self._library.read(part):
            if not isinstance(entry, Article):
                self._skipped.append(Skipped(str(entry).split(":")[0].removeprefix("article "), str(entry)))
                continue
            if not self._started_embedding:
                self._steps.at("chunk", len(cuts), total)
            cuts.append(cut(entry, embedder, self._recipe.chunking))
        self._started_embedding = True
        return cuts

    def _wait(self, running: Embedding | None, work: Work) -> list[IndexedArticle]:
        if running is None:
            return []
        characters = sum(len(article.text) for article in running.articles)

        def step(share: float) -> None:
            done = work.articles + int(len(running.articles) * share)
            self._steps.at("embed", done, work.total_articles, work.share(characters * share))

        indexed = running.wait(step)
        work.note(len(running.articles), characters)
        # That of a whole part, not of a few articles.
        if len(running.articles) >= _PACE_ARTICLES or not self._pace:
            self._pace = work.pace()
        return indexed

    def _keep(self, indexed: list[IndexedArticle]) -> None:
        """Write a part that was embedded, so that a build which is interrupted goes on from there."""
        if not indexed:
            return
        reach("build.embedded")
        part = self._unfinished.next_folder()
        with_title = self._recipe.chunking.with_title
        dimension = self._recipe.embedder.dimension
        written = write_computed(part, indexed, dimension=dimension, with_title=with_title)
        reach("build.part_written")
        seal(part, self._manifest(part, written, {one.article.id: one.article.content_hash for one in indexed}))
        self._sources.append(self._unfinished.keep(part))
        for row, one in enumerate(indexed):
            self._picks[one.article.id] = (len(self._sources) - 1, row)

    def _held(self) -> dict[str, str]:
        """Give the content hash of every article that the new generation has, by id."""
        picks = ((article, self._sources[source], row) for article, (source, row) in self._picks.items())
        return {article: source.manifest.articles[article] for article, source, _ in picks}

    def _embedding_record(self) -> EmbeddingRecord:
        embedder = self._recipe.embedder
        if self._reusable is not None:  # the same model: it need not be loaded to be described
            return replace(self._reusable.manifest.embedding, model=embedder.name)
        return EmbeddingRecord(
            embedder.name,
            embedder.model_sha256,
            embedder.dimension,
            embedder.max_tokens,
            embedder.engine.runtime,
            embedder.engine.precision,
        )

    def _manifest(self, folder: Path, written: Written, articles: dict[str, str]) -> UnsealedManifest:
        return UnsealedManifest(
            generation=generation_of(folder),
            built_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            embedding=self._embedding_record(),
            chunking=self._recipe.chunking_record(),
            cleaning_version=CLEANING_VERSION,
            counts=written.counts,
            dense=written.dense,
            embedding_pace=self._pace,
            articles=articles,
        )

    def publish(self, catalog: Catalog) -> str:
        """Write the generation, seal and verify it, and make it the current one; gives its name."""
        self._steps.at("write", 0, 1)
        staged = catalog.stage()
        reach("build.staged")
        runs = runs_of([self._picks[article] for article in sorted(self._picks)])
        dimension = self._embedding_record().dimension
        written = write_merged(staged, self._sources, runs, dimension=dimension, exact_rows=self._recipe.exact_rows)
        reach("build.written")
        seal(staged, self._manifest(staged, written, self._held()))
        self._steps.at("verify", 0, 1)
        Generation.open(staged)
        reach("build.verified")
        self._steps.at("publish", 0, 1)
        return catalog.publish(staged)

    def report(self, generation: str, *, built: bool) -> BuildReport:
        """Say what was done."""
        chunks = [0, 0, 0]  # taken over, resumed, embedded
        if built:
            for source, row in self._picks.values():
                kind = 0 if source < self._resumed_from else 1 if source < self._embedded_from else 2
                chunks[kind] += len(self._sources[source].extents.chunks_of(row))
        return BuildReport(
            generation=generation,
            built=built,
            articles=len(self._picks) if built or self._picks else len(self._wanted),
            articles_added=self._changes.added,
            articles_updated=self._changes.updated,
            articles_removed=self._changes.removed,
            chunks_embedded=chunks[2],
            chunks_reused=chunks[0] + chunks[1],
            chunks_resumed=chunks[1],
            skipped=tuple(self._skipped),
            reason=self._reason,
        )


@dataclass(frozen=True, slots=True)
class _Steps:
    """Progress out, cancellation in: both are asked for at every step."""

    on_progress: Callable[[Progress], None]
    cancelled: Callable[[], bool]

    def at(self, phase: Phase, done: int, total: int, share: float | None = None) -> None:
        if self.cancelled():
            raise BuildCancelled("the build was cancelled; the current index is kept")
        self.on_progress(Progress(phase, done, total, share))
