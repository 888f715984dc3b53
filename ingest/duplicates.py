"""Which articles of many share most of their words: MinHash signatures, and candidate pairs by banded hashing.

A signature depends on the text of its article alone. Two signatures agree in a share of their values that is, on
average, the Jaccard similarity of the two sets of shingles; articles are compared in full only where at least one of
the bands of their signatures is equal.

Source: Broder, "On the resemblance and containment of documents", SEQUENCES 1997, doi:10.1109/SEQUEN.1997.666900;
bands: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4.
"""

from __future__ import annotations

import re
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

SHINGLE_WORDS = 3

BANDS = 32
ROWS = 4
"""A pair of similarity s becomes a candidate with probability 1 - (1 - s^4)^32: 0.87 at 0.5, 0.988 at 0.6, 0.02 at
0.16."""

SIGNATURE_SIZE = BANDS * ROWS

LEAST_ESTIMATE = 0.35
"""Candidates whose signatures agree less are not compared: more than three standard errors below 0.5."""

NEIGHBOURS = 4
"""In a bucket with many articles each is paired with this many that follow it: copies are found along the chain, and
ten thousand pages of one template do not make fifty million pairs."""

Signatures = NDArray[np.uint32]
Pairs = NDArray[np.int64]

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_EMPTY = np.uint32(0xFFFFFFFF)
# Raw output of a bit generator: numpy promises that it never changes, as stored signatures must not.
_RAW = np.random.PCG64(1997).random_raw(2 * SIGNATURE_SIZE)
_FACTORS = _RAW[:SIGNATURE_SIZE] | np.uint64(1)
_TERMS = _RAW[SIGNATURE_SIZE:]


def shingles(text: str) -> frozenset[int]:
    """Give the hashes, of 64 bits, of all runs of `SHINGLE_WORDS` words of a text, whatever case and punctuation.

    A shorter text is one shingle; one without words has none.
    """
    words = _WORD.findall(text.casefold())
    runs = range(max(len(words) - SHINGLE_WORDS + 1, min(len(words), 1)))
    return frozenset(_hash(" ".join(words[first : first + SHINGLE_WORDS])) for first in runs)


def _hash(words: str) -> int:
    return int.from_bytes(blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def signature(text: str) -> Signatures:
    """Give the MinHash signature of a text, shape (SIGNATURE_SIZE,); one without words is like no other."""
    hashes = np.fromiter(shingles(text), dtype=np.uint64)
    smallest = np.full(SIGNATURE_SIZE, _EMPTY, dtype=np.uint32)
    for first in range(0, len(hashes), 1024):
        block = hashes[first : first + 1024, np.newaxis]
        mixed = (block * _FACTORS + _TERMS) >> np.uint64(32)  # (n_block, SIGNATURE_SIZE), wrapping by intent
        np.minimum(smallest, mixed.min(axis=0).astype(np.uint32), out=smallest)
    return smallest


def estimates(signatures: Signatures, pairs: Pairs) -> NDArray[np.float64]:
    """Estimate the Jaccard similarity of some pairs of rows; its standard error is at most 0.045.

    Args:
        signatures: Shape (n, SIGNATURE_SIZE).
        pairs: Shape (n_pairs, 2).

    Returns:
        Shape (n_pairs,), in [0, 1].
    """
    shares = [
        (signatures[block[:, 0]] == signatures[block[:, 1]]).mean(axis=1)
        for block in np.array_split(pairs, max(1, len(pairs) // 4096))
    ]
    return np.concatenate(shares)


def candidates(signatures: Signatures) -> Pairs:
    """Find the pairs of rows that may be near-duplicates.

    Args:
        signatures: Shape (n, SIGNATURE_SIZE).

    Returns:
        Shape (n_pairs, 2), the smaller row first, sorted; each pair once.
    """
    count = len(signatures)
    worded = np.flatnonzero((signatures != _EMPTY).any(axis=1)).astype(np.int64)
    found = np.empty(0, dtype=np.int64)
    for band in range(BANDS):
        keys = _band_keys(signatures[worded, band * ROWS : (band + 1) * ROWS])
        order = np.argsort(keys, kind="stable")  # rows of one bucket stay in their order
        ordered, rows = keys[order], worded[order]
        for step in range(1, NEIGHBOURS + 1):
            same = np.flatnonzero(ordered[:-step] == ordered[step:])
            if not len(same):
                break
            found = np.union1d(found, rows[same] * count + rows[same + step])
    pairs = np.stack(np.divmod(found, max(count, 1)), axis=1)
    return pairs[estimates(signatures, pairs) >= LEAST_ESTIMATE]


def _band_keys(rows: Signatures) -> NDArray[np.uint64]:
    """Give one number for each row of a band, shape (n,): equal rows have equal ones."""
    keys = np.zeros(len(rows), dtype=np.uint64)
    for column in rows.T:
        keys = (keys ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys
