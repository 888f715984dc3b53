import math

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.lexical import LexicalIndex, Postings, terms, write_lexical


@pytest.fixture
def index(tmp_path):
    write_lexical(["the red fox runs", "a red house", "quick brown fox fox", ""], tmp_path / "bm25")
    return LexicalIndex.open(tmp_path / "bm25")


def test_terms_are_folded_stemmed_and_without_function_words():
    assert terms("The ministers of Mélanie’s office accompanied") == terms("minister melanie OFFICES accompany")


def test_initials_and_numbers_are_one_word_each():
    assert terms("U.S. 1,200.5") == ["us", "1200_5"]
    assert terms("3.5%") != terms("35%")


@pytest.mark.parametrize("text", ["35%", "35 %", "35 per cent", "35 percent", "35-per-cent", "35 PER\nCENT"])
def test_a_share_is_one_however_it_is_written(text):
    assert terms(text) == ["35"]


def test_what_only_looks_like_a_share_is_none():
    assert terms("per centimetre 35 cents") == ["per", "centimetr", "35", "cent"]


def test_rows_are_scored_in_order_and_zero_without_a_shared_word(index):
    scores = index.scores("fox")
    assert scores[2] > scores[0] > 0
    assert scores[1] == scores[3] == 0
    assert len(index) == 4


def test_a_word_that_is_asked_twice_counts_twice_and_asking_again_changes_nothing(index):
    once = index.scores("fox house")
    assert index.scores("fox") * 2 == pytest.approx(index.scores("fox foxes"))
    assert index.scores("fox house").tolist() == once.tolist()


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


VOCABULARY = [f"word{n}" for n in range(40)] + ["漢字", "naïve", "running", "runs"]
BODIES = st.lists(st.sampled_from(VOCABULARY), max_size=30).map(" ".join)


@given(st.lists(BODIES, min_size=1, max_size=12), st.lists(st.sampled_from([*VOCABULARY, "unknown"]), max_size=6))
def test_scores_are_those_of_bm25s(tmp_path_factory, texts, query):
    tokens = [terms(text) for text in texts]
    ours = opened(texts, tmp_path_factory).scores(" ".join(query))
    if not any(tokens):
        assert ours.tolist() == [0] * len(texts)
        return
    reference = bm25s.BM25(method="lucene", k1=1.5, b=0.75, backend="numpy")
    reference.index(tokens, show_progress=False)
    known = [term for term in terms(" ".join(query)) if term in reference.vocab_dict]
    expected = reference.get_scores(known) if known else np.zeros(len(texts))
    assert ours == pytest.approx(expected, rel=1e-5, abs=1e-6)


@given(st.lists(st.tuples(BODIES, st.sampled_from("abx")), max_size=20))
def test_postings_taken_over_are_those_counted_anew(tmp_path_factory, texts):
    """Texts come from two indexes in any order, and some (x) of the first are left out."""
    stays = [(text, source) for text, source in texts if source != "x"]
    parts = []
    for sources in ("ax", "b"):
        of_part = [(text, source) for text, source in texts if source in sources]
        places = iter(row for row, (_, source) in enumerate(stays) if source in sources)
        rows = np.array([-1 if source == "x" else next(places) for _, source in of_part], dtype=np.int64)
        parts.append((Postings.of([text for text, _ in of_part]), rows))
    merged, anew = Postings.merged(parts, len(stays)), Postings.of([text for text, _ in stays])
    assert merged.terms == anew.terms
    for name in ("starts", "rows", "counts", "lengths"):
        assert np.array_equal(getattr(merged, name), getattr(anew, name)), name


def opened(texts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bm25") / "bm25"
    write_lexical(texts, folder)
    return LexicalIndex.open(folder)
