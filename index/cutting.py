"""Articles cut to chunks and sentences and embedded, some dozens at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, wait
from dataclasses import asdict, dataclass, replace

import numpy as np

from index.embedding import Embedder
from index.halves import HalfVectors
from index.passages import IndexedArticle
from ingest.article import Article, Chunk
from ingest.chunking import (
    CHUNKING_VERSION,
    ChunkingSettings,
    chunk_article,
    embedded_text,
    embedded_title,
    fit_sentences,
)
from ingest.sentences import SENTENCES_VERSION, Sentence, split_sentences

_LOOK_SECONDS = 0.05
"""How often whoever waits for an embedding tells how far it is, and may stop it."""


def chunking_record(chunking: ChunkingSettings) -> dict[str, int | str]:
    """Give what a manifest says of how articles were cut: the settings and the versions of the rules."""
    return {
        **{name: int(value) for name, value in asdict(chunking).items()},
        "chunking_version": CHUNKING_VERSION,
        "sentences_version": SENTENCES_VERSION,
    }


@dataclass(frozen=True, slots=True)
class CutArticle:
    """An article cut to pieces that are to be embedded."""

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


def cut(article: Article, embedder: Embedder, chunking: ChunkingSettings) -> CutArticle:
    """Cut an article so that the embedding model reads every piece whole, the title of a chunk included.

    Args:
        article: What is cut.
        embedder: Whose tokens count.
        chunking: The wanted sizes; smaller ones are taken where the model reads less.
    """
    count = embedder.count_tokens
    title = embedded_title(article.title, count) if chunking.with_title else ""
    room = embedder.max_tokens - count([title])[0]
    longest = min(chunking.max_tokens, room)
    overlap = min(chunking.overlap_tokens, longest - 1)
    settings = replace(chunking, max_tokens=longest, overlap_tokens=overlap)
    found = fit_sentences(article.text, split_sentences(article.text), max_tokens=longest, count_tokens=count)
    chunks = chunk_article(article, found, settings=settings, count_tokens=count)
    return CutArticle(article, title, tuple(chunks), tuple(found))


class Embedding:
    """Some articles while they are embedded by a thread, all their pieces together: texts of like length share a batch.

    Whoever waits for it reads, cuts and writes other articles meanwhile: a runtime computes without the interpreter.
    """

    def __init__(self, cuts: Sequence[CutArticle], embedder: Embedder, thread: Executor) -> None:
        self.articles = [one.article for one in cuts]
        self._cuts = cuts
        self._texts = [text for one in cuts for text in one.texts()]
        self._characters = sum(map(len, self._texts))
        self._done = 0
        self._stopped = False
        self._vectors = thread.submit(embedder.encode, self._texts, on_batch=self._note)

    def _note(self, characters: int) -> None:
        if self._stopped:
            raise _StoppedError
        self._done += characters

    def wait(self, on_step: Callable[[float], None]) -> list[IndexedArticle]:
        """Wait for the end; gives the articles as they were embedded.

        Args:
            on_step: Called as it goes on, at last with 1.0, with the share of the work that is done.
        """
        told = 0.0
        while not self._vectors.done():
            wait([self._vectors], timeout=_LOOK_SECONDS)
            share = min(1.0, self._done / max(self._characters, 1))
            if share > told:
                told = share
                on_step(share)
        vectors = self._vectors.result()
        if told < 1:
            on_step(1.0)
        return list(_indexed(self._cuts, vectors.astype(np.float16)))

    def stop(self) -> None:
        """Have it end at its next batch: nobody waits for it any more."""
        self._stopped = True


class _StoppedError(Exception):
    """Ends an embedding; nobody sees it."""


def _indexed(cuts: Sequence[CutArticle], vectors: HalfVectors) -> Iterator[IndexedArticle]:
    """Give each article its vectors: those of its chunks, then those of its sentences."""
    first = 0
    for one in cuts:
        middle, last = first + len(one.chunks), first + len(one.chunks) + len(one.sentences)
        yield IndexedArticle(one.article, one.chunks, one.sentences, vectors[first:middle], vectors[middle:last])
        first = last
