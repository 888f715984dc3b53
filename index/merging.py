"""What a generation is made of: articles that were just computed, and articles taken over from other folders.

Taking over is copying runs of bytes and, for BM25, of counts; nothing is computed anew for an article.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.copies import read_copies, write_copies
from index.dense import EXACT_ROWS, DenseIndex, write_dense
from index.embedding import Vectors
from index.generation import ARTICLE_LEXICAL_FOLDER, DENSE_FILE, LEXICAL_FOLDER
from index.halves import HalfVectors
from index.lexical import Postings, write_lexical
from index.manifest import Counts, DenseRecord, Manifest, verify
from index.passages import Extents, IndexedArticle, Passages, passage_files, write_passages
from ingest.article import Article
from ingest.chunking import embedded_text
from ingest.failpoints import reach
from ingest.likeness import Likeness

_BLOCK = 1 << 14
_RECALL_QUERIES = 200


class Source:
    """A verified folder, of a generation or a part of one, as articles are taken over from it.

    It holds no file open until it is copied from: a build has hundreds of them, and descriptors are few.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.extents = Extents(folder)
        self.ids = sorted(manifest.articles)

    @classmethod
    def open(cls, folder: Path) -> Source:
        """Verify a folder, then open it.

        Raises:
            GenerationDamaged: A file is not what was written.
            GenerationIncompatible: The folder is of another format.
        """
        return cls(folder, verify(folder))

    def passages(self) -> Passages:
        """Map its passages."""
        return Passages(self.folder)

    def dense(self) -> DenseIndex:
        """Open its vectors."""
        return DenseIndex.open(self.folder / DENSE_FILE, self.manifest.dense)


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring articles of one source, from row `first` to before `last`."""

    source: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: how much of it, and the kind of its vector index."""

    counts: Counts
    dense: DenseRecord


def write_computed(
    folder: Path, articles: Sequence[IndexedArticle], *, dimension: int, with_title: bool = True
) -> Written:
    """Write articles that were just computed, all held in memory, as the files of a generation.

    Args:
        folder: A folder without files; sealing and publishing it is not done here.
        articles: In the order of their ids.
        dimension: Length of a vector.
        with_title: Whether BM25 finds a chunk by its article's title, too.
    """
    write_passages(folder, articles, dimension=dimension)
    write_copies(folder, {})
    chunks = sum(len(one.chunks) for one in articles)
    blocks = (one.chunk_vectors for one in articles)
    nothing = np.empty((0, dimension), dtype=np.float32)
    dense = write_dense(blocks, folder / DENSE_FILE, rows=chunks, dimension=dimension, queries=nothing)
    texts = [
        embedded_text(one.article.title if with_title else "", chunk.span.of(one.article.text))
        for one in articles
        for chunk in one.chunks
    ]
    write_lexical(texts, folder / LEXICAL_FOLDER)
    write_lexical([_whole(one.article, with_title=with_title) for one in articles], folder / ARTICLE_LEXICAL_FOLDER)
    return Written(Counts(len(articles), chunks, sum(len(one.sentences) for one in articles)), dense)


def _whole(article: Article, *, with_title: bool) -> str:
    """Give the words that an article as a whole is found by; a title made of its first words stands there already."""
    named = with_title and article.title_source != "lead"
    return embedded_text(article.title if named else "", article.text)


def runs_of(picks: Sequence[tuple[int, int]]) -> list[Run]:
    """Give the runs that (source, row) pairs are, in their order."""
    runs: list[Run] = []
    for source, row in picks:
        if runs and (runs[-1].source, runs[-1].last) == (source, row):
            runs[-1] = Run(source, runs[-1].first, row + 1)
        else:
            runs.append(Run(source, row, row + 1))
    return runs


def write_merged(
    folder: Path, sources: Sequence[Source], runs: Sequence[Run], *, dimension: int, exact_rows: int = EXACT_ROWS
) -> Written:
    """Write the files of a generation out of those of others.

    Args:
        folder: A folder without files; sealing and publishing it is not done here.
        sources: Where articles are taken from, the largest first.
        runs: Which articles, in the order of their ids.
        dimension: Length of a vector.
        exact_rows: See `index.dense.choose_kind`.
    """
    chunks_of = [sources[run.source].extents.chunks_of(run.first, run.last) for run in runs]
    counts = Counts(
        articles=sum(run.last - run.first for run in runs),
        chunks=sum(len(chunks) for chunks in chunks_of),
        sentences=sum(len(sources[run.source].extents.sentences_of(run.first, run.last)) for run in runs),
    )
    # Two: runs of the largest source and of others take turns, and all at once would take too many files or too much
    # memory.
    passages_of = lru_cache(maxsize=2)(lambda number: sources[number].passages())
    dense_of = lru_cache(maxsize=2)(lambda number: sources[number].dense())
    with passage_files(
        folder, articles=counts.articles, chunks=counts.chunks, sentences=counts.sentences, dimension=dimension
    ) as files:
        for run in runs:
            passages_of(run.source).copy_run(run.first, run.last, files)
    reach("build.texts_written")
    passages_of.cache_clear()
    write_copies(folder, _known_copies(sources, runs))
    dense = write_dense(
        (block for run, rows in zip(runs, chunks_of, strict=True) for block in _blocks(dense_of(run.source), rows)),
        folder / DENSE_FILE,
        rows=counts.chunks,
        dimension=dimension,
        queries=_recall_queries(folder),
        exact_rows=exact_rows,
        like=dense_of(0) if sources else None,
    )
    reach("build.dense_written")
    _merge_lexical(LEXICAL_FOLDER, folder, sources, runs, chunks_of)
    _merge_lexical(ARTICLE_LEXICAL_FOLDER, folder, sources, runs, [range(run.first, run.last) for run in runs])
    reach("build.lexical_written")
    return Written(counts, dense)


def _known_copies(sources: Sequence[Source], runs: Sequence[Run]) -> dict[tuple[str, str], Likeness]:
    """Give what the sources know of pairs of articles that are both taken from there."""
    taken: dict[int, set[str]] = {}
    for run in runs:
        taken.setdefault(run.source, set()).update(sources[run.source].ids[run.first : run.last])
    return {
        pair: found
        for number, articles in taken.items()
        for pair, found in read_copies(sources[number].folder).items()
        if articles.issuperset(pair)
    }


def _blocks(dense: DenseIndex, rows: range) -> Iterator[HalfVectors]:
    for first in range(rows.start, rows.stop, _BLOCK):
        yield dense.halves(first, min(first + _BLOCK, rows.stop))


def _merge_lexical(
    name: str, folder: Path, sources: Sequence[Source], runs: Sequence[Run], taken: Sequence[range]
) -> None:
    """Write the BM25 counts of a name out of those of the sources: for each run the rows that are `taken`."""
    new_rows: dict[int, list[tuple[range, int]]] = {}
    row = 0
    for run, rows in zip(runs, taken, strict=True):
        new_rows.setdefault(run.source, []).append((rows, row))
        row += len(rows)

    def parts() -> Iterator[tuple[Postings, NDArray[np.int64]]]:
        for number, moves in new_rows.items():
            postings = Postings.open(sources[number].folder / name)
            target = np.full(len(postings.lengths), -1, dtype=np.int64)
            for rows, first in moves:
                target[rows.start : rows.stop] = np.arange(first, first + len(rows))
            yield postings, target

    Postings.merged(parts(), row).write(folder / name)


def _recall_queries(folder: Path) -> Vectors:
    """Take sentences from all over as questions: what people ask for is said in sentences."""
    vectors = Passages(folder).sentence_vectors
    step = max(1, len(vectors) // _RECALL_QUERIES)
    return vectors[::step][:_RECALL_QUERIES].astype(np.float32)
