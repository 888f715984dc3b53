"""Articles with the spans of their chunks and sentences, as columns in a few files that are mapped, not read.

Rows are articles in the order of their ids, and chunks and sentences in the order of their articles. No column holds
a row number, so that a run of articles with all that belongs to it is a run of bytes in every file: taking articles
over into another generation is copying.

| file | one entry for each | holds |
| --- | --- | --- |
| `articles.jsonl` | article | its fields but the text, as a line of JSON |
| `texts.bin` | article | its text in UTF-8 |
| `articles.npy` | article | bytes of its line, bytes of its text, number of chunks, number of sentences |
| `article_vectors.npy` | article | the mean of the vectors of its chunks, in half floats |
| `signatures.npy` | article | its MinHash signature, by which near-duplicates are found |
| `chunks.npy` | chunk | start, end |
| `sentences.npy` | sentence | start, end, kind, block |
| `sentence_vectors.npy` | sentence | its vector in half floats |
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

from index.durable import array_file, map_array, write
from index.embedding import Vectors
from index.halves import HalfVectors, cosines
from ingest.article import Article, Chunk, Span
from ingest.duplicates import SIGNATURE_SIZE, Signatures, signature
from ingest.sentences import Sentence, SentenceKind

HEADS_FILE = "articles.jsonl"
TEXTS_FILE = "texts.bin"
ARTICLES_FILE = "articles.npy"
ARTICLE_VECTORS_FILE = "article_vectors.npy"
SIGNATURES_FILE = "signatures.npy"
CHUNKS_FILE = "chunks.npy"
SENTENCES_FILE = "sentences.npy"
SENTENCE_VECTORS_FILE = "sentence_vectors.npy"

CACHED_ARTICLES = 1_000
"""Articles that are kept in memory: some megabytes."""

_KINDS: tuple[SentenceKind, ...] = ("prose", "heading", "item")
_HEADING = _KINDS.index("heading")
_BEHIND = np.float32(3)
"""Taken off a cosine it makes one that is behind all others, and can be told from them."""

_HEAD, _TEXT, _CHUNKS, _SENTENCES = range(4)

_parse = json.JSONDecoder().raw_decode
"""Half of the time of `json.loads`, which looks for an encoding and for spaces."""

Table = NDArray[np.int64]
Append = Callable[[NDArray[np.generic]], None]


@dataclass(frozen=True, slots=True)
class IndexedArticle:
    """An article with its chunks and sentences and their vectors, as the builder made them.

    `chunk_vectors` and `sentence_vectors` have one row for each chunk and sentence, unit length.
    """

    article: Article
    chunks: tuple[Chunk, ...]
    sentences: tuple[Sentence, ...]
    chunk_vectors: HalfVectors
    sentence_vectors: HalfVectors


class Extents:
    """Where the bytes, chunks and sentences of each article of a folder lie: in memory, with no file held open."""

    def __init__(self, folder: Path) -> None:
        self._sizes: Table = np.load(folder / ARTICLES_FILE, allow_pickle=False)
        # Where each article's bytes, chunks and sentences begin, and after the last one end: shape (n + 1, 4).
        self._starts = np.zeros((len(self._sizes) + 1, 4), dtype=np.int64)
        np.cumsum(self._sizes, axis=0, out=self._starts[1:])
        self._first_chunks = self._starts[:, _CHUNKS].copy()

    def __len__(self) -> int:
        return len(self._sizes)

    def chunks_of(self, first: int, last: int | None = None) -> range:
        """Give the chunk rows of an article, or of the articles from `first` to before `last`."""
        return self._rows_of(_CHUNKS, first, last)

    def sentences_of(self, first: int, last: int | None = None) -> range:
        """Give the sentence rows of an article, or of the articles from `first` to before `last`, in text order."""
        return self._rows_of(_SENTENCES, first, last)

    def chunks_of_each(self, articles: NDArray[np.int64]) -> tuple[Table, Table]:
        """Give the chunk rows of some articles, one article after the other, and for each the place of its article.

        Args:
            articles: Rows, shape (n,).

        Returns:
            The rows, and places in `articles`, ascending: both of shape (n_chunks_of_them,).
        """
        first = self._first_chunks.take(articles)
        return _runs(first, self._first_chunks.take(articles + 1) - first)

    def _rows_of(self, column: int, first: int, last: int | None) -> range:
        last = first + 1 if last is None else last
        return range(int(self._starts[first, column]), int(self._starts[last, column]))


class Passages(Extents):
    """The columns of one folder. They never change, so any number of threads may read them.

    Every mapped file takes a file descriptor. Nothing in here refers back to the object, so that they are given back
    when its last user lets go of it, and not when the garbage is collected some time.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._heads = _mapped(folder / HEADS_FILE)
        self._texts = _mapped(folder / TEXTS_FILE)
        self.article_vectors: HalfVectors = map_array(folder / ARTICLE_VECTORS_FILE)
        self.signatures: Signatures = map_array(folder / SIGNATURES_FILE)
        self._chunks: Table = map_array(folder / CHUNKS_FILE)
        self._sentences: Table = map_array(folder / SENTENCES_FILE)
        self.sentence_vectors: HalfVectors = map_array(folder / SENTENCE_VECTORS_FILE)
        read = partial(_article, self._heads, self._texts, self._starts)
        self.article = lru_cache(maxsize=CACHED_ARTICLES)(read)

    def counts(self) -> list[tuple[str, int, int]]:
        """Give for each file how many rows or bytes it has, and how many it should have by `articles.npy`."""
        head, text, chunks, sentences = self._starts[-1].tolist()
        return [
            (HEADS_FILE, len(self._heads), head),
            (TEXTS_FILE, len(self._texts), text),
            (ARTICLE_VECTORS_FILE, len(self.article_vectors), len(self)),
            (SIGNATURES_FILE, len(self.signatures), len(self)),
            (CHUNKS_FILE, len(self._chunks), chunks),
            (SENTENCES_FILE, len(self._sentences), sentences),
            (SENTENCE_VECTORS_FILE, len(self.sentence_vectors), sentences),
        ]

    @property
    def articles(self) -> ArticleTable:
        """The articles, read one by one."""
        return ArticleTable(self)

    @property
    def chunk_count(self) -> int:
        """Number of chunks."""
        return len(self._chunks)

    @property
    def sentence_count(self) -> int:
        """Number of sentences."""
        return len(self._sentences)

    @cached_property
    def article_rows(self) -> Table:
        """The article row of every chunk, shape (n_chunks,), ascending."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self._sizes[:, _CHUNKS])

    def from_sources(self, sources: Collection[str]) -> NDArray[np.bool_]:
        """Mark the articles of some sources, shape (n_articles,); a source that no article is of marks none."""
        numbers, source_of = self._sources
        wanted = np.zeros(len(numbers), dtype=np.bool_)
        wanted[[numbers[source] for source in sources if source in numbers]] = True
        return wanted[source_of]

    @cached_property
    def _sources(self) -> tuple[dict[str, int], Table]:
        """A number for every source, and that of each article, shape (n_articles,)."""
        numbers: dict[str, int] = {}
        found = [numbers.setdefault(source, len(numbers)) for source in self._labels[0]]
        return numbers, np.array(found, dtype=np.int64)

    @cached_property
    def published(self) -> NDArray[np.datetime64]:
        """The publication day of every article, NaT where it is not known."""
        return np.array(self._labels[1], dtype="datetime64[D]")

    @cached_property
    def _labels(self) -> tuple[list[str], list[str | None]]:
        heads = [_head(self._heads, *ends) for ends in pairwise(self._starts[:, _HEAD].tolist())]
        return [head["source"] for head in heads], [head["published_at"] for head in heads]

    def chunk(self, row: int) -> Chunk:
        """Give the chunk of a row."""
        article_row = self.article_rows.item(row)
        start, end = self._chunks[row].tolist()
        return Chunk(self.article(article_row).id, row - self._first_chunks.item(article_row), Span(start, end))

    def sentence(self, row: int) -> Sentence:
        """Give the sentence of a row."""
        start, end, kind, block = self._sentences[row].tolist()
        return Sentence(Span(start, end), _KINDS[kind], block)

    def article_of_sentence(self, row: int) -> int:
        """Give the article row of a sentence."""
        return int(np.searchsorted(self._starts[:, _SENTENCES], row, side="right")) - 1

    def sentences_in(self, article_row: int, span: Span) -> range:
        """Give the rows of the sentences that lie wholly in a span of an article, in text order."""
        rows = self.sentences_of(article_row)
        of_article = self._sentences[rows.start : rows.stop]
        first = int(np.searchsorted(of_article[:, 0], span.start))
        last = int(np.searchsorted(of_article[:, 1], span.end, side="right"))
        return range(rows.start + first, rows.start + max(first, last))

    @cached_property
    def _sentences_of_chunks(self) -> Table:
        """The first and the last sentence row of every chunk, the last not included: shape (n_chunks, 2)."""
        # One scale for all articles, on which spans ascend as rows do.
        longest = int(max(self._chunks[:, 1].max(initial=0), self._sentences[:, 1].max(initial=0))) + 1
        of_sentences = np.repeat(np.arange(len(self), dtype=np.int64), self._sizes[:, _SENTENCES]) * longest
        of_chunks = self.article_rows * longest
        first = np.searchsorted(self._sentences[:, 0] + of_sentences, self._chunks[:, 0] + of_chunks)
        last = np.searchsorted(self._sentences[:, 1] + of_sentences, self._chunks[:, 1] + of_chunks, side="right")
        return np.stack([first, np.maximum(first, last)], axis=1)

    @cached_property
    def _headings(self) -> NDArray[np.bool_]:
        """Whether a sentence is a heading, shape (n_sentences,)."""
        headings: NDArray[np.bool_] = self._sentences[:, 2] == _HEADING
        return headings

    def best_sentences(self, chunks: NDArray[np.int64], query: Vectors) -> Vectors:
        """Give for some chunks the cosine of the nearest of their sentences to a query, -1 for one without any.

        A heading says what comes, not what is: it counts only where a chunk holds nothing else.

        Args:
            chunks: Rows, shape (n,).
            query: Shape (dimension,), unit length.

        Returns:
            Shape (n,), float32.
        """
        first, last = self._sentences_of_chunks.take(chunks, axis=0).T
        rows, places = _runs(first, last - first)
        near = cosines(self.sentence_vectors, rows, query)
        near[self._headings.take(rows)] -= _BEHIND
        best = np.full(len(chunks), -1 - _BEHIND)
        np.maximum.at(best, places, near)
        best[best < -1] += _BEHIND
        return best

    def copy_run(self, first: int, last: int, into: PassageFiles) -> None:
        """Write the articles from row `first` to before `last` into other files."""
        start, end = self._starts[first], self._starts[last]
        write(into.heads, memoryview(self._heads)[start[_HEAD] : end[_HEAD]])
        write(into.texts, memoryview(self._texts)[start[_TEXT] : end[_TEXT]])
        into.articles(self._sizes[first:last])
        into.article_vectors(self.article_vectors[first:last])
        into.signatures(self.signatures[first:last])
        into.chunks(self._chunks[start[_CHUNKS] : end[_CHUNKS]])
        into.sentences(self._sentences[start[_SENTENCES] : end[_SENTENCES]])
        into.sentence_vectors(self.sentence_vectors[start[_SENTENCES] : end[_SENTENCES]])


class ArticleTable(Sequence[Article]):
    """The articles of a folder, read one by one as they are asked for."""

    def __init__(self, passages: Passages) -> None:
        self._passages = passages

    def __len__(self) -> int:
        return len(self._passages)

    @overload
    def __getitem__(self, row: int) -> Article: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Article]: ...
    def __getitem__(self, row: int | slice) -> Article | Sequence[Article]:
        if isinstance(row, slice):
            return [self._passages.article(one) for one in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(f"article row {row} of {len(self)}")
        return self._passages.article(row % len(self))


@dataclass(frozen=True, slots=True)
class PassageFiles:
    """The files of passages while they are written: two of bytes, and what takes the next rows of the others."""

    heads: BinaryIO
    texts: BinaryIO
    articles: Append
    article_vectors: Append
    signatures: Append
    chunks: Append
    sentences: Append
    sentence_vectors: Append


@contextmanager
def passage_files(
    folder: Path, *, articles: int, chunks: int, sentences: int, dimension: int
) -> Iterator[PassageFiles]:
    """Make the files of passages in a folder, for so many rows as are given."""
    with ExitStack() as stack:

        def table(name: str, rows: int, width: int, kind: type[np.generic] = np.int64) -> Append:
            return stack.enter_context(array_file(folder / name, (rows, width), kind))

        yield PassageFiles(
            heads=stack.enter_context((folder / HEADS_FILE).open("wb")),
            texts=stack.enter_context((folder / TEXTS_FILE).open("wb")),
            articles=table(ARTICLES_FILE, articles, 4),
            article_vectors=table(ARTICLE_VECTORS_FILE, articles, dimension, np.float16),
            signatures=table(SIGNATURES_FILE, articles, SIGNATURE_SIZE, np.uint32),
            chunks=table(CHUNKS_FILE, chunks, 2),
            sentences=table(SENTENCES_FILE, sentences, 4),
            sentence_vectors=table(SENTENCE_VECTORS_FILE, sentences, dimension, np.float16),
        )


def write_passages(folder: Path, articles: Sequence[IndexedArticle], *, dimension: int) -> None:
    """Write articles that were just computed, in the order given."""
    chunks, sentences = sum(len(a.chunks) for a in articles), sum(len(a.sentences) for a in articles)
    with passage_files(
        folder, articles=len(articles), chunks=chunks, sentences=sentences, dimension=dimension
    ) as files:
        for one in articles:
            values = one.article.to_json()
            text = values.pop("text").encode("utf-8")
            head = (json.dumps(values, ensure_ascii=False) + "\n").encode("utf-8")
            write(files.heads, head)
            write(files.texts, text)
            files.articles(np.array([[len(head), len(text), len(one.chunks), len(one.sentences)]]))
            files.article_vectors(_mean(one.chunk_vectors))
            files.signatures(signature(one.article.text)[np.newaxis])
            files.chunks(_table(2, [(c.span.start, c.span.end) for c in one.chunks]))
            rows = [(s.span.start, s.span.end, _KINDS.index(s.kind), s.block) for s in one.sentences]
            files.sentences(_table(4, rows))
            files.sentence_vectors(one.sentence_vectors)


def _runs(starts: Table, sizes: Table) -> tuple[Table, Table]:
    """Give the rows of several runs, one after the other, and for each row the place of its run."""
    places = np.arange(len(starts)).repeat(sizes)
    before = starts + sizes - sizes.cumsum()
    return np.arange(len(places)) + before.take(places), places


def _mean(vectors: HalfVectors) -> HalfVectors:
    """Give the mean of some rows, shape (1, dimension): zeros for none."""
    mean = vectors.astype(np.float32).sum(axis=0, keepdims=True) / max(len(vectors), 1)
    halves: HalfVectors = mean.astype(np.float16)
    return halves


def _table(width: int, rows: Sequence[tuple[int, ...]]) -> Table:
    return np.array(rows, dtype=np.int64).reshape(-1, width)


def _mapped(path: Path) -> mmap.mmap | bytes:
    """Map a file into memory; an empty one cannot be."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


def _head(heads: mmap.mmap | bytes, start: int, end: int) -> dict[str, Any]:
    head: dict[str, Any] = _parse(heads[start:end].decode("utf-8"))[0]
    return head


def _article(heads: mmap.mmap | bytes, texts: mmap.mmap | bytes, starts: Table, row: int) -> Article:
    (head, text, *_), (head_end, text_end, *_) = starts[row : row + 2].tolist()
    values = _head(heads, head, head_end)
    values["text"] = texts[text:text_end].decode("utf-8")
    return Article.from_json(values)
