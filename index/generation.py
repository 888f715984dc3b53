"""A generation: an immutable folder from which every question is answered, and the object that reads it.

The folder holds everything a search and its answer need (article text, spans, vectors, BM25), so that a copy of it
serves on another machine. `index.manifest` seals and verifies it; `index.catalog` publishes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from index.dense import DenseIndex, write_dense
from index.embedding import Vectors
from index.errors import GenerationDamaged
from index.lexical import LexicalIndex, terms, write_lexical
from index.manifest import Manifest, verify
from ingest.article import Article, ArticleId, Chunk, Span
from ingest.chunking import embedded_text
from ingest.sentences import Sentence, SentenceKind

ARTICLES_FILE = "articles.jsonl"
CHUNKS_FILE = "chunks.npy"
SENTENCES_FILE = "sentences.npy"
SENTENCE_VECTORS_FILE = "sentence_vectors.npy"
DENSE_FILE = "vectors.faiss"
LEXICAL_FOLDER = "bm25"

CACHED_SENTENCES = 20_000
"""Sentences that are kept in memory with their terms: some tens of megabytes at most."""

_KINDS: tuple[SentenceKind, ...] = ("prose", "heading", "item")

Table = NDArray[np.int64]
HalfVectors = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class IndexedArticle:
    """An article with its chunks and sentences and their vectors, as the builder hands it over.

    `chunk_vectors` and `sentence_vectors` have one row for each chunk and sentence, unit length.
    """

    article: Article
    chunks: tuple[Chunk, ...]
    sentences: tuple[Sentence, ...]
    chunk_vectors: Vectors
    sentence_vectors: HalfVectors


def write_generation(
    folder: Path, articles: Sequence[IndexedArticle], *, dimension: int, with_title: bool = True
) -> None:
    """Write the files of a generation into a staged folder; sealing and publishing them is not done here."""
    with (folder / ARTICLES_FILE).open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(a.article.to_json(), ensure_ascii=False) + "\n" for a in articles)
    chunks = [(row, c.span.start, c.span.end) for row, a in enumerate(articles) for c in a.chunks]
    sentences = [
        (row, s.span.start, s.span.end, _KINDS.index(s.kind), s.block)
        for row, a in enumerate(articles)
        for s in a.sentences
    ]
    _save(folder / CHUNKS_FILE, np.array(chunks, dtype=np.int64).reshape(-1, 3))
    _save(folder / SENTENCES_FILE, np.array(sentences, dtype=np.int64).reshape(-1, 5))
    no_vectors = np.empty((0, dimension), dtype=np.float32)
    halves = [no_vectors.astype(np.float16), *(a.sentence_vectors for a in articles)]
    _save(folder / SENTENCE_VECTORS_FILE, np.concatenate(halves))
    write_dense(np.concatenate([no_vectors, *(a.chunk_vectors for a in articles)]), folder / DENSE_FILE)
    texts = [
        embedded_text(a.article.title if with_title else "", c.span.of(a.article.text))
        for a in articles
        for c in a.chunks
    ]
    write_lexical(texts, folder / LEXICAL_FOLDER)


def _save(path: Path, array: NDArray[np.generic]) -> None:
    """Write what `np.save` writes. On a full disk it loses the end of a real file, or the number of the error."""
    with path.open("wb") as file:
        np.save(SimpleNamespace(write=file.write), array, allow_pickle=False)


class Generation:
    """An opened, verified generation. It never changes, so any number of threads may read it."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.name = manifest.generation
        self.manifest = manifest
        with (folder / ARTICLES_FILE).open(encoding="utf-8") as lines:
            self.articles = tuple(Article.from_json(json.loads(line)) for line in lines)
        self._rows = {article.id: row for row, article in enumerate(self.articles)}
        self._chunks: Table = np.load(folder / CHUNKS_FILE, allow_pickle=False)
        self._sentences: Table = np.load(folder / SENTENCES_FILE, allow_pickle=False)
        self._sentence_vectors: HalfVectors = np.load(folder / SENTENCE_VECTORS_FILE, mmap_mode="r", allow_pickle=False)
        self.dense = DenseIndex.open(folder / DENSE_FILE)
        self.lexical = LexicalIndex.open(folder / LEXICAL_FOLDER)
        bounds = np.arange(len(self.articles) + 1)
        self._first_chunk = np.searchsorted(self._chunks[:, 0], bounds)
        self._first_sentence = np.searchsorted(self._sentences[:, 0], bounds)
        self.sentence = lru_cache(maxsize=CACHED_SENTENCES)(self._sentence)
        self.sentence_terms = lru_cache(maxsize=CACHED_SENTENCES)(self._sentence_terms)
        self._check_counts()

    @classmethod
    def open(cls, folder: Path) -> Generation:
        """Verify every file of a generation folder by its hash, then open it.

        Raises:
            GenerationDamaged: A file is not what was written; the error names it.
            GenerationIncompatible: The folder is of another format.
        """
        return cls(folder, verify(folder))

    def _check_counts(self) -> None:
        counts = self.manifest.counts
        found = {
            ARTICLES_FILE: (len(self.articles), counts.articles),
            CHUNKS_FILE: (len(self._chunks), counts.chunks),
            SENTENCES_FILE: (len(self._sentences), counts.sentences),
            SENTENCE_VECTORS_FILE: (len(self._sentence_vectors), counts.sentences),
            DENSE_FILE: (len(self.dense), counts.chunks),
            LEXICAL_FOLDER: (len(self.lexical), counts.chunks),
        }
        for file, (has, expected) in found.items():
            if has != expected:
                raise GenerationDamaged(self.name, file, f"it holds {has} rows, the manifest says {expected}")

    @property
    def chunk_count(self) -> int:
        """Number of chunks."""
        return len(self._chunks)

    @property
    def article_rows(self) -> NDArray[np.int64]:
        """The article row of every chunk, shape (n_chunks,), ascending."""
        return self._chunks[:, 0]

    def article_row(self, article: ArticleId) -> int | None:
        """Give the row of an article, None where this generation does not hold it."""
        return self._rows.get(article)

    def chunk(self, row: int) -> Chunk:
        """Give the chunk of a row."""
        article_row, start, end = (int(value) for value in self._chunks[row])
        ordinal = row - int(self._first_chunk[article_row])
        return Chunk(self.articles[article_row].id, ordinal, Span(start, end))

    def chunks_of(self, article_row: int) -> range:
        """Give the chunk rows of an article."""
        return range(int(self._first_chunk[article_row]), int(self._first_chunk[article_row + 1]))

    def sentences_of(self, article_row: int) -> range:
        """Give the sentence rows of an article, in text order."""
        return range(int(self._first_sentence[article_row]), int(self._first_sentence[article_row + 1]))

    def sentences_in(self, article_row: int, span: Span) -> range:
        """Give the rows of the sentences that lie wholly in a span of an article, in text order."""
        rows = self.sentences_of(article_row)
        starts = self._sentences[rows.start : rows.stop, 1]
        ends = self._sentences[rows.start : rows.stop, 2]
        first = int(np.searchsorted(starts, span.start))
        last = int(np.searchsorted(ends, span.end, side="right"))
        return range(rows.start + first, rows.start + max(first, last))

    def _sentence(self, row: int) -> Sentence:
        """Give the sentence of a row."""
        _, start, end, kind, block = self._sentences[row].tolist()
        return Sentence(Span(start, end), _KINDS[kind], block)

    def _sentence_terms(self, row: int) -> frozenset[str]:
        """Give the searchable terms of a sentence; the latest used are kept, as stemming them is most of the work."""
        article_row = int(self._sentences[row, 0])
        return frozenset(terms(self.sentence(row).span.of(self.articles[article_row].text)))

    def sentence_vectors(self, rows: Sequence[int] | range) -> Vectors:
        """Give the vectors of some sentences, shape (n_rows, dimension), float32."""
        return self._sentence_vectors[np.asarray(rows, dtype=np.int64)].astype(np.float32)

    def indexed(self, article: ArticleId) -> IndexedArticle | None:
        """Give an article with all that was computed for it, for a later generation to take over."""
        row = self.article_row(article)
        if row is None:
            return None
        chunks, sentences = self.chunks_of(row), self.sentences_of(row)
        return IndexedArticle(
            article=self.articles[row],
            chunks=tuple(self.chunk(chunk) for chunk in chunks),
            sentences=tuple(self.sentence(sentence) for sentence in sentences),
            chunk_vectors=self.dense.vectors(np.asarray(chunks, dtype=np.int64)),
            sentence_vectors=self._sentence_vectors[sentences.start : sentences.stop],
        )
