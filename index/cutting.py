"""Articles cut to chunks and sentences and embedded, some dozens at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from index.embedding import Embedder
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


def embed(
    cuts: Sequence[CutArticle], embedder: Embedder, on_batch: Callable[[int], None] = lambda _: None
) -> Iterator[IndexedArticle]:
    """Embed all pieces of some articles together, so that texts of like length share a batch.

    Args:
        cuts: The articles.
        embedder: The model.
        on_batch: Called after each batch with the number of texts in it.
    """
    texts = [text for one in cuts for text in one.texts()]
    vectors = embedder.encode(texts, on_batch=on_batch).astype(np.float16)
    first = 0
    for one in cuts:
        middle, last = first + len(one.chunks), first + len(one.chunks) + len(one.sentences)
        yield IndexedArticle(one.article, one.chunks, one.sentences, vectors[first:middle], vectors[middle:last])
        first = last
