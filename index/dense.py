"""Nearest vectors by FAISS: a flat index of half floats, exact up to their rounding.

Rows are numbered from 0 in the order of the vectors. Half floats halve the memory and scan several times faster
than single floats at a recall of 0.999 and better; above some 200,000 rows another kind will be worth it.
"""

from __future__ import annotations

import threading
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from index.embedding import Vectors

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

_KIND = "SQfp16"

# The limits of FAISS are the process's: two threads that open indexes must not set each other's.
_opening = threading.Lock()


def write_dense(vectors: Vectors, path: Path) -> None:
    """Write an index of `vectors`, shape (n, dimension), unit rows, to `path`."""
    index = faiss.index_factory(vectors.shape[1], _KIND, faiss.METRIC_INNER_PRODUCT)
    index.add(np.ascontiguousarray(vectors))
    # FAISS's own writer takes a full disk for a RuntimeError, or for nothing at all.
    path.write_bytes(faiss.serialize_index(index).data)


class DenseIndex:
    """An opened index. FAISS has no checksum of its own: open only files that were verified."""

    def __init__(self, index: faiss.Index) -> None:
        self._index = index

    @classmethod
    def open(cls, path: Path) -> DenseIndex:
        """Read an index that `write_dense` wrote."""
        with _opening:
            # A file cannot hold more vectors than bytes: what claims more is refused before memory is asked for.
            faiss.set_deserialization_vector_byte_limit(max(path.stat().st_size * 2, 1 << 20))
            faiss.set_deserialization_loop_limit(1 << 20)
            return cls(faiss.read_index(str(path)))

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
        k = min(k, len(self) if allowed is None else int(allowed.sum()))
        if k == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        parameters = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]  # the stubs know the C++ signature only
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]  # the stubs lack the wrapper's keywords
        scores, rows = self._index.search(query[np.newaxis, :], k, params=parameters)
        kept = rows[0] >= 0
        found, cosines = rows[0][kept], scores[0][kept]
        order = np.lexsort((found, -cosines))
        return found[order], cosines[order]

    def vectors(self, rows: Rows) -> Vectors:
        """Give the stored vectors of some rows, shape (n_rows, dimension), float32."""
        return np.asarray(self._index.reconstruct_batch(rows), dtype=np.float32)
