"""Metrics of retrieval, by hand."""

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.retrieval import rank_articles, reciprocal_rank_fusion, score


def test_relevant_at_ranks_2_and_4():
    scored = score({"q": ["x", "a", "y", "b"]}, {"q": {"a": 1, "b": 1}})
    dcg, ideal = 1 / log2(3) + 1 / log2(5), 1 / log2(2) + 1 / log2(3)
    assert scored.per_query["q"] == pytest.approx({"nDCG@10": dcg / ideal, "R@10": 1, "RR@10": 1 / 2})
    assert scored.means == pytest.approx(scored.per_query["q"])


def test_grades_count_and_grade_0_is_not_relevant():
    scored = score({"q": ["c", "a", "b"]}, {"q": {"a": 1, "b": 2, "c": 0}})
    dcg, ideal = 1 / log2(3) + 2 / log2(4), 2 / log2(2) + 1 / log2(3)
    assert scored.means == pytest.approx({"nDCG@10": dcg / ideal, "R@10": 1, "RR@10": 1 / 2})


def test_rank_11_is_too_late():
    late = [f"x{place}" for place in range(10)]
    scored = score({"q": [*late, "a"], "r": [*late[:9], "a"]}, {"q": {"a": 1}, "r": {"a": 1}})
    assert set(scored.per_query["q"].values()) == {0}
    assert scored.per_query["r"] == pytest.approx({"nDCG@10": 1 / log2(11), "R@10": 1, "RR@10": 1 / 10})


@pytest.mark.parametrize("ranking", [["a", "b", "z"], ["z", "b", "a"]])
def test_the_order_given_counts_whatever_the_ids(ranking):
    """trec_eval breaks ties of scores by id; a ranking has none."""
    assert score({"q": ranking}, {"q": {"b": 1}}).means["RR@10"] == pytest.approx(1 / 2)


def test_a_query_that_found_nothing_scores_0_and_counts():
    scored = score({"q": ["a"], "r": []}, {"q": {"a": 1}, "r": {"a": 1}, "s": {"b": 1}})
    assert scored.n == 3
    assert scored.means == pytest.approx({"nDCG@10": 1 / 3, "R@10": 1 / 3, "RR@10": 1 / 3})


def test_nothing_was_found_at_all():
    assert score({}, {"q": {"a": 1}}).means == {"nDCG@10": 0, "R@10": 0, "RR@10": 0}


def test_a_query_without_a_relevant_article_is_left_out():
    scored = score({"q": ["a"], "r": ["a"]}, {"q": {"a": 1}, "r": {"a": 0}})
    assert (scored.n, scored.means["nDCG@10"]) == (1, 1)
    assert list(scored.per_query) == ["q"]


def test_there_must_be_something_to_find_and_an_article_stands_once():
    with pytest.raises(ValueError, match="no query has a relevant article"):
        score({"q": ["a"]}, {"q": {"a": 0}, "r": {}})
    with pytest.raises(ValueError, match="'q' names an article twice"):
        score({"q": ["a", "a"]}, {"q": {"a": 1}})


@given(st.permutations(["a", "b", "c"]), st.lists(st.sampled_from("vwxyz"), unique=True))
def test_the_ideal_order_scores_1(relevant, others):
    scored = score({"q": [*relevant, *others]}, {"q": dict.fromkeys("abc", 1)})
    assert scored.means == pytest.approx({"nDCG@10": 1, "R@10": 1, "RR@10": 1})


def test_fusion_by_hand_and_its_ties():
    # a: 1/61 + 1/63; b: 1/62 + 1/61; c: 1/63; d: 1/62
    assert reciprocal_rank_fusion([["a", "b", "c"], ["b", "d", "a"]]) == ("b", "a", "d", "c")
    assert reciprocal_rank_fusion([["b", "a"], ["a", "b"]]) == ("b", "a")
    assert reciprocal_rank_fusion([["z"], ["a"]]) == ("z", "a")
    assert reciprocal_rank_fusion([[], []]) == ()


def test_an_article_stands_where_its_best_chunk_does(parts):
    hits = parts.assistant.search("library of Tamsel, roof and bridge", top_k=100).result.hits
    ranking = rank_articles([*hits, *hits])
    assert ranking[0] == "tp-17"  # the external id, where there is one
    assert sorted(ranking) == sorted({hit.article.external_id or hit.article.id for hit in hits})
