"""A generation: an immutable folder from which every question is answered, and the object that reads it.

The folder holds everything a search and its answer need (article text, spans, vectors, BM25), so that a copy of it
serves on another machine. `index.manifest` seals and verifies it; `index.catalog` publishes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.copies import Copies
from index.dense import DenseIndex
from index.embedding import Vectors
from index.errors import GenerationDamaged
from index.lexical import LexicalIndex, terms
from index.manifest import MANIFEST_FILE, Manifest, verify
from index.passages import ARTICLES_FILE, CHUNKS_FILE, SENTENCES_FILE, Passages
from ingest.article import ArticleId, Chunk, Span

DENSE_FILE = "vectors.faiss"
LEXICAL_FOLDER = "bm25"
ARTICLE_LEXICAL_FOLDER = "bm25-articles"

CACHED_SENTENCES = 5_000
"""Sentences that are kept in memory with their terms: some megabytes at most."""


class Generation:
    """An opened, verified generation. It never changes, so any number of threads may read it.

    Nothing in here refers back to the object: a served one that is replaced gives memory and files back at once.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.name = manifest.generation
        self.folder = folder
        self.manifest = manifest
        self.passages = Passages(folder)
        self.articles = self.passages.articles
        self.dense = DenseIndex.open(folder / DENSE_FILE, manifest.dense)
        self.lexical = LexicalIndex.open(folder / LEXICAL_FOLDER)
        self.article_lexical = LexicalIndex.open(folder / ARTICLE_LEXICAL_FOLDER)
        self.copies = Copies.open(folder, sorted(manifest.articles), self.passages)
        self.sentence = lru_cache(maxsize=CACHED_SENTENCES)(self.passages.sentence)
        self.sentence_terms = lru_cache(maxsize=CACHED_SENTENCES)(partial(_sentence_terms, self.passages))
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
        found = [
            *self.passages.counts(),
            (ARTICLES_FILE, len(self.passages), counts.articles),
            (MANIFEST_FILE, len(self.manifest.articles), counts.articles),
            (CHUNKS_FILE, self.chunk_count, counts.chunks),
            (SENTENCES_FILE, self.passages.sentence_count, counts.sentences),
            (DENSE_FILE, len(self.dense), counts.chunks),
            (LEXICAL_FOLDER, len(self.lexical), counts.chunks),
            (ARTICLE_LEXICAL_FOLDER, len(self.article_lexical), counts.articles),
        ]
        for file, has, expected in found:
            if has != expected:
                raise GenerationDamaged(self.name, file, f"it holds {has} rows or bytes; expected are {expected}")

    @property
    def chunk_count(self) -> int:
        """Number of chunks."""
        return self.passages.chunk_count

    @property
    def article_rows(self) -> NDArray[np.int64]:
        """The article row of every chunk, shape (n_chunks,), ascending."""
        return self.passages.article_rows

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {article: row for row, article in enumerate(sorted(self.manifest.articles))}

    def article_row(self, article: ArticleId) -> int | None:
        """Give the row of an article, None where this generation does not hold it."""
        return self._rows.get(article)

    def chunk(self, row: int) -> Chunk:
        """Give the chunk of a row."""
        return self.passages.chunk(row)

    def chunks_of(self, article_row: int) -> range:
        """Give the chunk rows of an article."""
        return self.passages.chunks_of(article_row)

    def sentences_of(self, article_row: int) -> range:
        """Give the sentence rows of an article, in text order."""
        return self.passages.sentences_of(article_row)

    def sentences_in(self, article_row: int, span: Span) -> range:
        """Give the rows of the sentences that lie wholly in a span of an article, in text order."""
        return self.passages.sentences_in(article_row, span)

    def sentence_vectors(self, rows: Sequence[int] | range) -> Vectors:
        """Give the vectors of some sentences, shape (n_rows, dimension), float32."""
        return self.passages.sentence_vectors[np.asarray(rows, dtype=np.int64)].astype(np.float32)


def _sentence_terms(passages: Passages, row: int) -> frozenset[str]:
    """Give the searchable terms of a sentence; the latest used are kept, as stemming them is most of the work."""
    article = passages.article(passages.article_of_sentence(row))
    return frozenset(terms(passages.sentence(row).span.of(article.text)))
