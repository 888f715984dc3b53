"""Whether a difference is real: by hand where that is possible, by simulation where it is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.statistics import holm, mean_interval, paired_difference


def test_three_questions_that_all_got_worse_by_hand():
    """Of the 2 * 2 * 2 ways to exchange the values, two are as extreme: all exchanged, and none."""
    found = paired_difference([1, 1, 1], [0, 0, 0])
    assert (found.before, found.after, found.change, found.n) == (1, 0, -1, 3)
    assert found.p == pytest.approx(2 / 8)
    assert (found.low, found.high) == (-1, -1)


def test_gains_and_losses_of_different_size_by_hand():
    """Of the 8 sums of ±3, ±1 and ±1, 6 are at least as far from 0 as 3 + 1 - 1: all but 3 - 1 - 1 and its opposite."""
    found = paired_difference([0, 0, 1], [3, 1, 0])
    assert found.change == pytest.approx((3 + 1 - 1) / 3)
    assert found.p == pytest.approx(6 / 8)


def test_a_single_question_shows_nothing():
    """Exchanged or not, its difference is of the same size."""
    found = paired_difference([1], [0])
    assert (found.change, found.low, found.high, found.p, found.n) == (-1, -1, -1, 1, 1)


def test_no_difference_is_certain():
    found = paired_difference([0.3, 0.7], [0.3, 0.7])
    assert (found.change, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_gains_and_losses_that_cancel_are_no_difference():
    found = paired_difference([1, 0, 1, 0], [0, 1, 0, 1])
    assert found.change == 0
    assert found.low < 0 < found.high
    assert found.p == 1


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=9))
def test_turned_around_it_is_the_same_difference_with_the_other_sign(pairs):
    before, after = [a for a, _ in pairs], [b for _, b in pairs]
    forth, back = paired_difference(before, after), paired_difference(after, before)
    assert forth.change == pytest.approx(-back.change)
    assert forth.p == pytest.approx(back.p)
    assert forth.low <= forth.change + 1e-12
    assert forth.high >= forth.change - 1e-12


def test_the_same_runs_always_give_the_same_verdict():
    chance = np.random.default_rng(3)
    before, after = chance.random(60), chance.random(60)
    assert paired_difference(list(before), list(after)) == paired_difference(list(before), list(after))


def test_where_nothing_differs_one_comparison_in_twenty_is_significant():
    chance = np.random.default_rng(11)
    found = [
        paired_difference(list(chance.integers(0, 2, 40)), list(chance.integers(0, 2, 40))).p < 0.05 for _ in range(120)
    ]
    assert 0 < sum(found) < 15  # 6 expected; 15 or more has a chance below 1 in 1,000


def test_a_real_difference_is_found():
    chance = np.random.default_rng(5)
    before = chance.random(200)
    found = paired_difference(list(before), list(before - 0.1 + 0.2 * chance.random(200) - 0.05))
    assert found.p < 0.001
    assert found.high < 0


def test_many_questions_are_sampled_and_no_p_value_is_0():
    """2 ** 40 ways to exchange are too many; a p-value of 0 would claim more than the samples show."""
    assert 0 < paired_difference([0] * 40, [1] * 40).p <= 2 / 10_000


def test_unequal_or_no_values_are_refused():
    with pytest.raises(ValueError, match="got 1 and 2"):
        paired_difference([1], [1, 2])
    with pytest.raises(ValueError, match="got 0 and 0"):
        paired_difference([], [])


def test_the_interval_of_a_mean():
    assert mean_interval([0.4]) == (0.4, 0.4)
    assert mean_interval([0.4, 0.4]) == (0.4, 0.4)
    # Of two values, a quarter of the samples holds one twice, so that 2.5 % lie at either end.
    assert mean_interval([0, 1]) == (0, 1)
    low, high = mean_interval([0, 1] * 50)
    # The standard error is sqrt(0.25 / 100) = 0.05.
    assert low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.02)
    assert high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.02)


def test_holm_by_hand():
    # 0.01 * 3, then max(that, 0.03 * 2), then max(that, 0.04 * 1).
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([0.4, 0.02]) == pytest.approx([0.4, 0.04])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_only_raises_at_most_as_much_as_bonferroni_and_keeps_the_order(p_values):
    adjusted = holm(p_values)
    assert all(p <= q <= min(1, p * len(p_values)) for p, q in zip(p_values, adjusted, strict=True))
    in_order = [q for _, q in sorted(zip(p_values, adjusted, strict=True))]
    assert in_order == sorted(in_order)
