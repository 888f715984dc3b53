"""Whether a difference is real: paired tests and intervals over questions, by scipy.

Deterministic: the seed is fixed, so the same two runs always give the same verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Numbers = NDArray[np.float64]

RESAMPLES = 9_999
SEED = 20_260_101
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference of means, B - A, over `n` questions.

    `low` and `high` bound it with 95 % confidence (bootstrap of the questions, percentile method); `p` is two-sided
    (paired randomisation: each question's two values are exchanged at random).
    """

    before: float
    after: float
    change: float
    low: float
    high: float
    p: float
    n: int


def paired_difference(before: Sequence[float], after: Sequence[float]) -> Difference:
    """Compare two systems on the same questions.

    Args:
        before: One value per question of A.
        after: Of B, in the same order.

    Raises:
        ValueError: The two are of different length, or empty.

    Source: Smucker, Allan, Carterette, CIKM 2007, doi:10.1145/1321440.1321528, for randomisation over t and sign tests.
    """
    if len(before) != len(after) or not before:
        raise ValueError(f"expected as many values after as before, at least one; got {len(before)} and {len(after)}")
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    changes = second - first
    low, high = mean_interval(changes)
    return Difference(
        before=float(first.mean()),
        after=float(second.mean()),
        change=float(changes.mean()),
        low=low,
        high=high,
        p=_randomisation(changes),
        n=len(changes),
    )


def mean_interval(values: Sequence[float] | Numbers) -> tuple[float, float]:
    """Give the 95 % interval of a mean, by the percentile bootstrap; a single value, or equal ones, give a point."""
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) < 2 or np.ptp(sample) == 0:
        return float(sample[0]), float(sample[0])
    found = stats.bootstrap(
        (sample,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=500,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(found.low), float(found.high)


def _randomisation(changes: Numbers) -> float:
    # One question exchanged or not gives the same size of difference: no evidence either way.
    if len(changes) < 2 or not changes.any():
        return 1.0
    found = stats.permutation_test(
        (changes,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=500,
        alternative="two-sided",
        rng=np.random.default_rng(SEED),
    )
    return float(min(found.pvalue, 1.0))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number, so that any one below 0.05 is a chance finding in at most 5 % of comparisons.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979), 65-70.
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, place in enumerate(order):
        running = max(running, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = running
    return adjusted
