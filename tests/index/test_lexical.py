import math

import pytest

from index.lexical import LexicalIndex, terms, write_lexical


@pytest.fixture
def index(tmp_path):
    write_lexical(["the red fox runs", "a red house", "quick brown fox fox", ""], tmp_path / "bm25")
    return LexicalIndex.open(tmp_path / "bm25")


def test_terms_are_folded_stemmed_and_without_function_words():
    assert terms("The ministers of Mélanie’s office accompanied") == terms("minister melanie OFFICES accompany")


def test_initials_and_numbers_are_one_word_each():
    assert terms("U.S. 1,200.5") == ["us", "1200_5"]
    assert terms("3.5%") != terms("35%")


def test_rows_are_scored_in_order_and_zero_without_a_shared_word(index):
    scores = index.scores("fox")
    assert scores[2] > scores[0] > 0
    assert scores[1] == scores[3] == 0
    assert len(index) == 4


@pytest.mark.parametrize("query", ["", "zebra", "the of", "🏳️‍🌈", "' ’ .", "\ud800".encode("utf-8", "replace").decode()])
def test_a_query_without_known_words_scores_zero_everywhere(index, query):
    assert index.scores(query).tolist() == [0, 0, 0, 0]


def test_idf_is_lucenes_by_hand(index):
    # "fox" stands in 2 of 4 rows, "zebra" in none.
    assert index.idf("fox") == pytest.approx(math.log(1 + (4 - 2 + 0.5) / (2 + 0.5)))
    assert index.idf("zebra") == pytest.approx(math.log(1 + 4.5 / 0.5))


@pytest.mark.parametrize("texts", [[], ["", ""], ["the of a"]])
def test_an_index_of_nothing_opens_and_scores_nothing(tmp_path, texts):
    write_lexical(texts, tmp_path / "bm25")
    index = LexicalIndex.open(tmp_path / "bm25")
    assert index.scores("fox").tolist() == [0] * len(texts)
    assert len(index) == len(texts)
