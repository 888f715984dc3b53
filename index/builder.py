"""The library's articles to a new, published generation.

An article whose content did not change keeps its chunks and vectors from the current generation, as long as that
one was made with the same model and settings; all others are cut and embedded anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from index.catalog import Catalog
from index.embedding import Embedder
from index.errors import BuildCancelled, GenerationDamaged, GenerationIncompatible, NoGeneration
from index.generation import Generation, IndexedArticle, write_generation
from index.manifest import Counts, EmbeddingRecord, UnsealedManifest, generation_of, seal
from ingest.article import Article, ArticleId, Chunk, IngestError
from ingest.chunking import (
    CHUNKING_VERSION,
    ChunkingSettings,
    chunk_article,
    embedded_text,
    embedded_title,
    fit_sentences,
)
from ingest.cleaning import CLEANING_VERSION
from ingest.sentences import SENTENCES_VERSION, Sentence, split_sentences

Phase = Literal["read", "chunk", "embed", "write", "verify", "publish"]

EMBED_ARTICLES = 64
"""Articles embedded in one go: enough to sort texts by length, few enough to show progress and stop soon."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is: `done` of `total` articles (read, chunk), texts (embed) or steps."""

    phase: Phase
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """An article that is in the library but not in the generation, and why."""

    article: str
    reason: str


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. `generation` is the current one afterwards; `built` is False where nothing was to do."""

    generation: str
    built: bool
    articles: int
    articles_added: int
    articles_updated: int
    articles_removed: int
    chunks_embedded: int
    chunks_reused: int
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class _Cut:
    """An article that must be embedded, cut to pieces."""

    article: Article
    title: str
    chunks: tuple[Chunk, ...]
    sentences: tuple[Sentence, ...]

    def texts(self) -> list[str]:
        """What is embedded: every chunk under the title, then every sentence."""
        words = self.article.text
        return [embedded_text(self.title, chunk.span.of(words)) for chunk in self.chunks] + [
            sentence.span.of(words) for sentence in self.sentences
        ]


def chunking_record(chunking: ChunkingSettings, *, sentences: bool = True) -> dict[str, int | str]:
    """Give what a manifest says of how articles were cut: the settings and the versions of the rules (0: none)."""
    return {
        **{name: int(value) for name, value in asdict(chunking).items()},
        "chunking_version": CHUNKING_VERSION,
        "sentences_version": SENTENCES_VERSION if sentences else 0,
    }


class Builder:
    """Makes generations with one embedding model and one setting of chunk sizes.

    Without `sentences` a generation holds chunks alone: enough to rank passages, not to answer, and made in about
    half the time.
    """

    def __init__(
        self, catalog: Catalog, embedder: Embedder, chunking: ChunkingSettings, *, sentences: bool = True
    ) -> None:
        self._catalog = catalog
        self._embedder = embedder
        self._chunking = chunking
        self._sentences = sentences
        self._record_of_chunking = chunking_record(chunking, sentences=sentences)

    def build(
        self,
        library: Callable[[], Iterable[Article | IngestError]],
        *,
        full: bool = False,
        keep: int = 3,
        on_progress: Callable[[Progress], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> BuildReport:
        """Bring the index up to date with the library and publish the new generation.

        Args:
            library: Gives all articles of the library; a damaged one comes as its error and is reported.
            full: Embed everything again, even what did not change.
            keep: Generations kept afterwards, the new one included.
            on_progress: Called from this thread.
            cancelled: Asked between steps; True ends the build with nothing changed.

        Returns:
            What was done. Nothing is built where the current generation already holds the library as it is.

        Raises:
            BuildRunning: Another process or thread is building.
            BuildCancelled: `cancelled` said so.
            StorageFull: No space left; the current generation is kept.
        """
        with self._catalog.writer():
            steps = _Steps(on_progress, cancelled)
            current, healthy = self._current()
            articles, skipped = _read(library, steps)
            changes = _Changes.between(current, articles)
            reusable = current if current is not None and not full and self._made_alike(current) else None
            if reusable is not None and healthy and not changes.any:
                return changes.report(reusable.name, len(articles), skipped, built=False, embedded=0)
            indexed, embedded = self._index(articles, reusable, steps)
            name = self._publish(indexed, steps)
            self._catalog.prune(keep)
            reused = sum(len(entry.chunks) for entry in indexed) - embedded
            return changes.report(name, len(articles), skipped, built=True, embedded=embedded, reused=reused)

    def _current(self) -> tuple[Generation | None, bool]:
        """Give the newest good generation, and whether it is the one that should be served."""
        try:
            opened = self._catalog.open_newest_good(Generation.open)
        except NoGeneration:
            return None, True
        except (GenerationDamaged, GenerationIncompatible):
            return None, False  # this build is the remedy
        return opened.value, not opened.problems

    def _record(self) -> EmbeddingRecord:
        embedder = self._embedder
        return EmbeddingRecord(
            model=embedder.name,
            model_sha256=embedder.model_sha256,
            dimension=embedder.dimension,
            max_tokens=embedder.max_tokens,
        )

    def _made_alike(self, generation: Generation) -> bool:
        """Tell whether a generation was made with this model and these settings, so that its vectors can be kept."""
        manifest = generation.manifest
        same_model = manifest.embedding.model_sha256 == self._embedder.model_sha256
        return same_model and manifest.chunking == self._record_of_chunking

    def _index(
        self, articles: list[Article], reusable: Generation | None, steps: _Steps
    ) -> tuple[list[IndexedArticle], int]:
        """Cut and embed what changed and take over the rest; gives all, and the number of chunks embedded."""
        indexed: dict[ArticleId, IndexedArticle] = {}
        cuts: list[_Cut] = []
        for done, article in enumerate(articles):
            steps.at("chunk", done, len(articles))
            known = reusable.indexed(article.id) if reusable is not None else None
            if known is not None and known.article == article:
                indexed[article.id] = known
            else:
                cuts.append(self._cut(article))
        total = sum(len(cut.chunks) + len(cut.sentences) for cut in cuts)
        done = 0
        for start in range(0, len(cuts), EMBED_ARTICLES):
            group = cuts[start : start + EMBED_ARTICLES]
            for entry in self._embed(group, done, total, steps):
                indexed[entry.article.id] = entry
            done += sum(len(cut.chunks) + len(cut.sentences) for cut in group)
        return [indexed[article.id] for article in articles], sum(len(cut.chunks) for cut in cuts)

    def _cut(self, article: Article) -> _Cut:
        count = self._embedder.count_tokens
        title = embedded_title(article.title, count) if self._chunking.with_title else ""
        room = self._embedder.max_tokens - count([title])[0]
        longest = min(self._chunking.max_tokens, room)
        overlap = min(self._chunking.overlap_tokens, longest - 1)
        settings = replace(self._chunking, max_tokens=longest, overlap_tokens=overlap)
        sentences = fit_sentences(article.text, split_sentences(article.text), max_tokens=longest, count_tokens=count)
        chunks = chunk_article(article, sentences, settings=settings, count_tokens=count)
        return _Cut(article, title, tuple(chunks), tuple(sentences) if self._sentences else ())

    def _embed(self, cuts: list[_Cut], done: int, total: int, steps: _Steps) -> Iterable[IndexedArticle]:
        texts = [text for cut in cuts for text in cut.texts()]
        counter = [done]

        def on_batch(size: int) -> None:
            counter[0] += size
            steps.at("embed", counter[0], total)

        vectors = self._embedder.encode(texts, on_batch=on_batch)
        first = 0
        for cut in cuts:
            middle, last = first + len(cut.chunks), first + len(cut.chunks) + len(cut.sentences)
            yield IndexedArticle(
                article=cut.article,
                chunks=cut.chunks,
                sentences=cut.sentences,
                chunk_vectors=vectors[first:middle],
                sentence_vectors=vectors[middle:last].astype(np.float16),
            )
            first = last

    def _publish(self, indexed: list[IndexedArticle], steps: _Steps) -> str:
        steps.at("write", 0, 1)
        staged = self._catalog.stage()
        write_generation(staged, indexed, dimension=self._embedder.dimension, with_title=self._chunking.with_title)
        seal(
            staged,
            UnsealedManifest(
                generation=generation_of(staged),
                built_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                embedding=self._record(),
                chunking=self._record_of_chunking,
                cleaning_version=CLEANING_VERSION,
                counts=Counts(
                    articles=len(indexed),
                    chunks=sum(len(entry.chunks) for entry in indexed),
                    sentences=sum(len(entry.sentences) for entry in indexed),
                ),
                articles={entry.article.id: entry.article.content_hash for entry in indexed},
            ),
        )
        steps.at("verify", 0, 1)
        Generation.open(staged)
        steps.at("publish", 0, 1)
        return self._catalog.publish(staged)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Progress out, cancellation in: both are asked for at every step."""

    on_progress: Callable[[Progress], None]
    cancelled: Callable[[], bool]

    def at(self, phase: Phase, done: int, total: int) -> None:
        if self.cancelled():
            raise BuildCancelled("the build was cancelled; the current index is kept")
        self.on_progress(Progress(phase, done, total))


@dataclass(frozen=True, slots=True)
class _Changes:
    """How the library differs from a generation, in articles."""

    added: int
    updated: int
    removed: int

    @classmethod
    def between(cls, generation: Generation | None, articles: list[Article]) -> _Changes:
        held = generation.manifest.articles if generation is not None else {}
        wanted = {article.id: article.content_hash for article in articles}
        return cls(
            added=len(wanted.keys() - held.keys()),
            updated=sum(held[known] != wanted[ArticleId(known)] for known in held.keys() & wanted.keys()),
            removed=len(held.keys() - wanted.keys()),
        )

    @property
    def any(self) -> bool:
        return bool(self.added or self.updated or self.removed)

    def report(
        self,
        generation: str,
        articles: int,
        skipped: list[Skipped],
        *,
        built: bool,
        embedded: int,
        reused: int = 0,
    ) -> BuildReport:
        return BuildReport(
            generation=generation,
            built=built,
            articles=articles,
            articles_added=self.added,
            articles_updated=self.updated,
            articles_removed=self.removed,
            chunks_embedded=embedded,
            chunks_reused=reused,
            skipped=tuple(skipped),
        )


def _read(library: Callable[[], Iterable[Article | IngestError]], steps: _Steps) -> tuple[list[Article], list[Skipped]]:
    articles: list[Article] = []
    skipped: list[Skipped] = []
    for number, entry in enumerate(library()):
        steps.at("read", number, number + 1)
        if isinstance(entry, Article):
            articles.append(entry)
        else:
            skipped.append(Skipped(str(entry).split(":")[0].removeprefix("article "), str(entry)))
    return articles, skipped
