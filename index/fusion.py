"""Two rankings into one, and the best of it spread over articles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]

DENSE_WEIGHT = 0.55
LEXICAL_WEIGHT = 0.45
"""On public sets this plain sum beats reciprocal rank fusion, and tuning it gains nothing elsewhere
(docs/measurements.md)."""


def weighted_sum(dense: Scores, lexical: Scores) -> Scores:
    """Fuse two scores of the same rows: 0.55 × dense / its largest + 0.45 × lexical / its largest.

    Args:
        dense: Shape (n,), cosines; negative ones count as 0.
        lexical: Shape (n,), BM25 scores, at least 0.

    Returns:
        Shape (n,), float32, in [0, 1]; a side whose largest is 0 adds nothing.
    """
    return DENSE_WEIGHT * _by_largest(np.maximum(dense, 0)) + LEXICAL_WEIGHT * _by_largest(lexical)


def _by_largest(scores: Scores) -> Scores:
    largest = scores.max(initial=0)
    return scores / largest if largest > 0 else np.zeros_like(scores)


def spread(ranked: Sequence[int], *, group_of: Callable[[int], Hashable], top_k: int, per_group: int) -> list[int]:
    """Take the first `top_k` rows, at most `per_group` of one group while other groups still have some.

    Args:
        ranked: Rows, best first.
        group_of: The group (article) of a row.
        top_k: Most rows.
        per_group: Most rows of one group in the first pass; what it held back fills the rest.

    Returns:
        Rows in the order of `ranked`.
    """
    taken: Counter[Hashable] = Counter()
    kept: list[int] = []
    held_back: list[int] = []
    for position, row in enumerate(ranked):
        group = group_of(row)
        taken[group] += 1
        (kept if taken[group] <= per_group else held_back).append(position)
    positions = sorted((kept + held_back)[:top_k] if len(kept) < top_k else kept[:top_k])
    return [ranked[position] for position in positions]
