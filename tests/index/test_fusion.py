import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.fusion import highest, meaning, nth_highest, spread, weighted_sum, words


def test_the_sum_by_hand():
    fused = weighted_sum(np.array([0.8, 0.4, -0.2], dtype=np.float32), np.array([0, 6, 3], dtype=np.float32))
    # 0.6 * 0.8/0.8; 0.6 * 0.4/0.8 + 0.4 * 6/6; 0.6 * 0 + 0.4 * 3/6
    assert fused == pytest.approx([0.6, 0.7, 0.2])


def test_a_side_that_found_nothing_adds_nothing():
    zero = np.zeros(2, dtype=np.float32)
    assert weighted_sum(np.array([0.5, 0.25], dtype=np.float32), zero) == pytest.approx([0.6, 0.3])
    assert weighted_sum(zero, zero).tolist() == [0, 0]
    assert weighted_sum(zero[:0], zero[:0]).tolist() == []


def test_meaning_is_the_mean_of_three_cosines():
    chunk, sentence, article = (np.array([value], dtype=np.float32) for value in (0.5, 0.8, -0.1))
    assert meaning(chunk, sentence, article) == pytest.approx([0.4])


def test_the_chunk_with_the_most_words_has_the_score_of_its_article():
    chunks = np.array([2, 4, 0, 0, 3], dtype=np.float32)
    articles = np.array([5, 1, 2], dtype=np.float32)
    # Two chunks of the first article, one of the second without any of the words, two of the third.
    found = words(chunks, articles, np.array([0, 0, 1, 2, 2]))
    assert found == pytest.approx([5 * (0.7 + 0.3 * 2 / 4), 5, 0.7, 2 * 0.7, 2])
    nothing = np.empty(0, dtype=np.float32)
    assert words(nothing, nothing, np.empty(0, dtype=np.int64)).tolist() == []


def test_of_equal_scores_the_first_are_among_the_highest():
    scores = np.array([1, 3, 0, 1, 2, 1], dtype=np.float32)
    assert [nth_highest(scores, n) for n in (1, 3, 6, 7)] == [3, 1, 0, 0]
    marked, least = highest(scores, 4)
    assert marked.tolist() == [True, True, False, True, True, False]
    assert least == 1
    assert highest(scores, 6)[0].tolist() == [True, True, False, True, True, True]
    assert highest(scores[:0], 3)[0].tolist() == []


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(1, 12))
def test_the_highest_are_those_that_sorting_brings_first(values, n):
    scores = np.array(values, dtype=np.float32)
    first = [place for place in np.argsort(-scores, kind="stable")[:n] if scores[place] > 0]
    assert np.flatnonzero(highest(scores, n)[0]).tolist() == sorted(first)


def test_one_article_does_not_take_all_places():
    group = {1: "a", 2: "a", 3: "a", 4: "b", 5: "a", 6: "c"}
    assert spread([1, 2, 3, 4, 5, 6], group_of=group.get, top_k=4, per_group=2) == [1, 2, 4, 6]


def test_places_that_others_cannot_fill_are_given_back_in_order():
    group = {1: "a", 2: "a", 3: "a", 4: "b"}
    assert spread([1, 2, 3, 4], group_of=group.get, top_k=4, per_group=1) == [1, 2, 3, 4]
    assert spread([1, 2, 3, 4], group_of=group.get, top_k=3, per_group=1) == [1, 2, 4]


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 20), st.integers(1, 4))
def test_spread_keeps_order_and_fills_all_places(groups, top_k, per_group):
    ranked = list(range(len(groups)))
    taken = spread(ranked, group_of=lambda row: groups[row], top_k=top_k, per_group=per_group)
    assert taken == sorted(taken)
    assert len(taken) == min(top_k, len(ranked))
    assert ranked[:1] == taken[:1]
