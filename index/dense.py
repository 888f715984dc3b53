"""Nearest vectors by FAISS: exact while the index is small, by lists of neighbours when it is large.

Rows are numbered from 0 in the order of the vectors, which are kept as half floats: half the memory of single floats,
scanned several times faster, at a recall of 0.999 and better. `choose_kind` says which kind is made for how many
vectors, and why; `measured_recall` what is lost by it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from index.durable import array_file, write
from index.embedding import Vectors
from index.halves import HalfVectors, cosines
from index.manifest import DenseRecord

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Kind = Literal["flat", "ivf"]

EXACT_ROWS = 200_000
"""Up to here every vector is looked at: at most some 5 ms, less than embedding the question takes."""

RECALL_AT = 10
WANTED_RECALL = 0.98
"""So many lists are looked at that, of the ten nearest, this share is found."""

_FIRST_LISTS = 32
_TRAINED_ON = 64
"""Vectors a list's centre is learned from; FAISS takes up to 256 for a gain that cannot be measured here."""

_FEWEST_IN_A_LIST = 39
"""Below it FAISS warns that a list's centre is not learned well; only tests have so few vectors."""

_ROOM = 4
"""Lists are looked at that hold some so many times the vectors that are wanted."""

_FEW_LEFT_OUT = 0.4
"""From this share of vectors that may be found, an exact index looks for the nearest of all first."""

_MORE = 1.3
"""So many times more than should do are looked for then: enough of them pass unless a filter goes by the subject."""

_BLOCK = 1 << 14
_WRITE_BYTES = 1 << 22

# The limits of FAISS are the process's: two threads that open indexes must not set each other's.
_opening = threading.Lock()


@dataclass(frozen=True, slots=True)
class Choice:
    """The kind of index that is made for a number of vectors; `lists` is 0 for the exact one."""

    kind: Kind
    lists: int
    why: str


def choose_kind(rows: int, exact_rows: int = EXACT_ROWS) -> Choice:
    """Say which kind of index is made for so many vectors, and why."""
    if rows <= exact_rows:
        return Choice("flat", 0, f"{rows} vectors, at most {exact_rows}: every search looks at all of them, exactly")
    lists = max(1, min(int(4 * rows**0.5), rows // _FEWEST_IN_A_LIST))
    return Choice(
        "ivf", lists, f"{rows} vectors, more than {exact_rows}: searches look at the nearest of {lists} lists, mapped"
    )


class DenseIndex:
    """An opened index. FAISS has no checksum of its own: open only files that were verified."""

    def __init__(self, index: faiss.Index, probes: int = 0) -> None:
        self._index = index
        self._with_lists = _as_ivf(index) if probes else None
        self._probes = probes
        self._stored = _stored_halves(index)
        if self._with_lists is not None:
            self._with_lists.make_direct_map()

    @classmethod
    def open(cls, path: Path, record: DenseRecord) -> DenseIndex:
        """Read an index of the kind that `record` names; a large one is mapped into memory, not read."""
        flags = faiss.IO_FLAG_MMAP if record.kind == "ivf" else 0
        with _opening:
            # A file cannot hold more vectors than bytes: what claims more is refused before memory is asked for.
            faiss.set_deserialization_vector_byte_limit(max(path.stat().st_size * 2, 1 << 20))
            faiss.set_deserialization_loop_limit(1 << 20)
            return cls(faiss.read_index(str(path), flags), record.probes)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    def search(self, query: Vectors, k: int, *, allowed: Mask | None = None) -> tuple[Rows, Vectors]:
        """Find the `k` rows nearest to one query.

        Args:
            query: Shape (dimension,), float32, unit length.
            k: Most rows; fewer come back where the index or `allowed` has fewer.
            allowed: Shape (n,), True for the rows that may be found; None for all.

        Returns:
            Rows and their cosines, best first, ties by row.
        """
        admitted = len(self) if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, admitted)
        if k == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        if allowed is not None and self._with_lists is None and admitted >= _FEW_LEFT_OUT * len(self):
            # To ask of every vector whether it may be found takes as long again as to look at it.
            most = min(len(self), int(_MORE * k * len(self) / admitted))
            rows, scores = self._nearest(query, most, None)
            passing = allowed[rows]
            if np.count_nonzero(passing) >= k:
                return rows[passing][:k], scores[passing][:k]
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        return self._nearest(query, k, self._parameters(bits, admitted, k))

    def _nearest(self, query: Vectors, k: int, parameters: faiss.SearchParameters | None) -> tuple[Rows, Vectors]:
        scores, rows = self._index.search(query[np.newaxis, :], k, params=parameters)
        kept = rows[0] >= 0
        found, cosines = rows[0][kept], scores[0][kept]
        order = np.lexsort((found, -cosines))
        return found[order], cosines[order]

    def _parameters(self, bits: NDArray[np.uint8] | None, admitted: int, k: int) -> faiss.SearchParameters | None:
        selector = None if bits is None else faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]  # the stubs know the C++ signature only
        if self._with_lists is not None:
            # The fewer rows may be found, or the more are wanted of them, the more lists they lie in; at last in all.
            lists = int(self._with_lists.nlist)
            wanted = max(self._probes * len(self), _ROOM * k * lists)
            probes = min(lists, -(-wanted // admitted))
            return faiss.SearchParametersIVF(sel=selector, nprobe=probes)  # type: ignore[call-arg]  # the stubs lack the wrapper's keywords
        return None if selector is None else faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]

    def vectors(self, rows: Rows) -> Vectors:
        """Give the stored vectors of some rows, shape (n_rows, dimension), float32."""
        return np.asarray(self._index.reconstruct_batch(rows), dtype=np.float32)

    def cosines(self, rows: Rows, query: Vectors) -> Vectors:
        """Give the cosines of the stored vectors of some rows to a query, shape (n_rows,), float32."""
        return self.vectors(rows) @ query if self._stored is None else cosines(self._stored, rows, query)

    def halves(self, first: int, last: int) -> HalfVectors:
        """Give the vectors from row `first` to before `last` just as they are stored."""
        return np.asarray(self._index.reconstruct_n(first, last - first)).astype(np.float16)

    def centres(self) -> faiss.Index | None:
        """Give what tells the lists of a large index apart, for another one to be made alike; None for an exact one."""
        return self._with_lists.quantizer if self._with_lists is not None else None


def write_dense(
    blocks: Iterator[HalfVectors],
    path: Path,
    *,
    rows: int,
    dimension: int,
    queries: Vectors,
    exact_rows: int = EXACT_ROWS,
    like: DenseIndex | None = None,
) -> DenseRecord:
    """Write an index of the kind that is right for so many vectors, and measure what it finds.

    Args:
        blocks: The vectors, unit length, in pieces of any number of rows.
        path: The file.
        rows: Number of vectors in all.
        dimension: Length of a vector.
        queries: Vectors to measure the recall with, shape (n, dimension).
        exact_rows: See `choose_kind`.
        like: An earlier index: where it tells its lists apart well enough for so many vectors, so does this one, and
            the centres are not learned again.
    """
    choice = choose_kind(rows, exact_rows)
    if choice.kind == "flat":
        index = faiss.index_factory(dimension, "SQfp16", faiss.METRIC_INNER_PRODUCT)
        for block in blocks:
            _add(index, block)
        _write(index, path)
        return DenseRecord("flat", 0, 0, measured_recall(DenseIndex(index), queries))
    # Learning needs vectors from everywhere: they lie in a file until the index is written.
    beside = path.with_name(f"{path.name}.vectors")
    with array_file(beside, (rows, dimension), np.float16) as append:
        for block in blocks:
            append(block)
    vectors: HalfVectors = np.load(beside, mmap_mode="r", allow_pickle=False)
    with_lists = _with_centres(vectors, choice.lists, like)
    _add(with_lists, vectors)
    _write(with_lists, path)
    del vectors
    beside.unlink()
    return _measured(with_lists, queries)


def measured_recall(index: DenseIndex, queries: Vectors) -> float:
    """Give the share of the ten truly nearest vectors that searches find, as the mean over queries; 1.0 without any."""
    k = min(RECALL_AT, len(index))
    if k == 0 or len(queries) == 0:
        return 1.0
    best: list[tuple[Vectors, Rows]] = []
    for first in range(0, len(index), _BLOCK):
        last = min(first + _BLOCK, len(index))
        scores = queries @ index.halves(first, last).astype(np.float32).T
        places = np.argpartition(-scores, min(k, last - first) - 1, axis=1)[:, :k]
        best.append((np.take_along_axis(scores, places, axis=1), places + first))
    scores, rows = (np.concatenate(column, axis=1) for column in zip(*best, strict=True))
    nearest = np.take_along_axis(rows, np.argsort(-scores, axis=1, kind="stable")[:, :k], axis=1)
    found = [len(set(index.search(query, k)[0]) & set(row)) for query, row in zip(queries, nearest, strict=True)]
    return round(sum(found) / (k * len(queries)), 4)


def _add(index: faiss.Index, vectors: HalfVectors) -> None:
    for first in range(0, len(vectors), _BLOCK):
        index.add(vectors[first : first + _BLOCK].astype(np.float32))


def _stored_halves(index: faiss.Index) -> HalfVectors | None:
    """See the vectors of an exact index where they lie, shape (n, dimension): good for as long as the index is."""
    if not isinstance(index, faiss.IndexScalarQuantizer) or index.ntotal == 0:
        return None
    codes = faiss.rev_swig_ptr(index.codes.data(), index.ntotal * index.code_size)
    halves: HalfVectors = codes.view(np.float16).reshape(index.ntotal, index.d)
    return halves


def _as_ivf(index: faiss.Index) -> faiss.IndexIVF:
    found = faiss.downcast_index(index)
    if not isinstance(found, faiss.IndexIVF):
        raise TypeError(f"the vector index is a {type(found).__name__}; expected one with lists")
    return found


def _with_centres(vectors: HalfVectors, lists: int, like: DenseIndex | None) -> faiss.IndexIVFScalarQuantizer:
    """Make an empty index with lists, its centres taken over or learned."""
    dimension = vectors.shape[1]
    quantizer = faiss.IndexFlatIP(dimension)
    known = like.centres() if like is not None else None
    if known is not None and lists / 2 <= known.ntotal <= lists * 2:
        quantizer.add(known.reconstruct_n(0, known.ntotal))
    else:
        step = max(1, len(vectors) // (_TRAINED_ON * lists))
        clustering = faiss.Kmeans(
            dimension, lists, niter=10, spherical=True, seed=1, max_points_per_centroid=_TRAINED_ON
        )
        clustering.train(np.ascontiguousarray(vectors[::step]).astype(np.float32))
        quantizer.add(np.asarray(clustering.centroids, dtype=np.float32))
    half = faiss.ScalarQuantizer.QT_fp16
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, dimension, quantizer.ntotal, half, faiss.METRIC_INNER_PRODUCT, False
    )
    index.train(np.zeros((1, dimension), dtype=np.float32))  # half floats have nothing to learn
    return index


def _measured(index: faiss.IndexIVFScalarQuantizer, queries: Vectors) -> DenseRecord:
    """Find how many lists must be looked at, doubling their number until the recall suffices."""
    lists = int(index.nlist)
    probes = min(_FIRST_LISTS, lists)
    while True:
        recall = measured_recall(DenseIndex(index, probes), queries)
        if recall >= WANTED_RECALL or probes == lists:
            return DenseRecord("ivf", lists, probes, recall)
        probes = min(probes * 2, lists)


def _write(index: faiss.Index, path: Path) -> None:
    # FAISS's own writer takes a full disk for a RuntimeError, or for nothing at all.
    with path.open("wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(lambda piece: write(file, piece), _WRITE_BYTES))  # type: ignore[attr-defined]  # the stubs lack it
