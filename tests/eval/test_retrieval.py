"""Metrics of rankings, by hand and against pytrec_eval."""

from itertools import accumulate, pairwise
from math import log2

import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics import MEASURES
from eval.retrieval import (
    article_grades,
    chunk_grades,
    covered,
    rank_articles,
    reciprocal_rank_fusion,
    score,
    sentence_grades,
)
from eval.sets.questions import Gold
from eval.sets.trec import load_trec_run
from index.builder import Builder, GivenArticles
from index.catalog import Catalog
from index.generation import Generation
from ingest.article import ArticleId, Chunk, Span
from ingest.chunking import ChunkingSettings
from ingest.intake import prepare
from ingest.readers.raw import RawArticle

SHOWN = ("nDCG@10", "R@10", "RR@10")


def three(values):
    """nDCG@10, R@10 and RR@10 of a query."""
    return {name: values[name] for name in SHOWN}


def test_relevant_at_ranks_2_and_4():
    values = score({"q": ["x", "a", "y", "b"]}, {"q": {"a": 1, "b": 1}})["q"]
    dcg, ideal = 1 / log2(3) + 1 / log2(5), 1 / log2(2) + 1 / log2(3)
    assert three(values) == pytest.approx({"nDCG@10": dcg / ideal, "R@10": 1, "RR@10": 1 / 2})
    assert values["AP"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert [values[f"R@{k}"] for k in (1, 3, 5)] == [0, 1 / 2, 1]
    assert [values[f"Success@{k}"] for k in (1, 5)] == [0, 1]
    assert set(values) == set(MEASURES)


def test_grades_count_and_grade_0_is_not_relevant():
    values = score({"q": ["c", "a", "b"]}, {"q": {"a": 1, "b": 2, "c": 0}})["q"]
    dcg, ideal = 1 / log2(3) + 2 / log2(4), 2 / log2(2) + 1 / log2(3)
    assert three(values) == pytest.approx({"nDCG@10": dcg / ideal, "R@10": 1, "RR@10": 1 / 2})


def test_from_a_least_grade_on_yes_and_no_measures_count_but_ndcg_takes_all():
    values = score({"q": ["b", "a"]}, {"q": {"a": 100, "b": 40}}, relevant=50)["q"]
    dcg, ideal = 40 / log2(2) + 100 / log2(3), 100 / log2(2) + 40 / log2(3)
    assert three(values) == pytest.approx({"nDCG@10": dcg / ideal, "R@10": 1, "RR@10": 1 / 2})
    assert values["Success@1"] == 0


def test_rank_11_is_too_late():
    late = [f"x{place}" for place in range(10)]
    values = score({"q": [*late, "a"], "r": [*late[:9], "a"]}, {"q": {"a": 1}, "r": {"a": 1}})
    assert set(three(values["q"]).values()) == {0}
    assert three(values["r"]) == pytest.approx({"nDCG@10": 1 / log2(11), "R@10": 1, "RR@10": 1 / 10})


@pytest.mark.parametrize("ranking", [["a", "b", "z"], ["z", "b", "a"]])
def test_the_order_given_counts_whatever_the_ids(ranking):
    """trec_eval breaks ties of scores by id; a ranking has none."""
    assert score({"q": ranking}, {"q": {"b": 1}})["q"]["RR@10"] == pytest.approx(1 / 2)


def test_a_query_that_found_nothing_scores_0_and_counts():
    values = score({"q": ["a"], "r": []}, {"q": {"a": 1}, "r": {"a": 1}, "s": {"b": 1}})
    assert {query: one["R@10"] for query, one in values.items()} == {"q": 1, "r": 0, "s": 0}
    assert set(score({}, {"q": {"a": 1}})["q"].values()) == {0}


def test_a_query_without_a_relevant_document_is_left_out():
    assert list(score({"q": ["a"], "r": ["a"]}, {"q": {"a": 1}, "r": {"a": 0}, "s": {}})) == ["q"]
    assert score({"q": ["a"]}, {"q": {}}) == {}


def test_a_document_stands_once_in_a_ranking():
    with pytest.raises(ValueError, match="'q' names a document twice"):
        score({"q": ["a", "a"]}, {"q": {"a": 1}})


NAMES = st.sampled_from([f"d{number}" for number in range(30)])
QUERIES = st.sampled_from("pqrs")
# Few scores, so that most rankings have ties.
RUNS = st.dictionaries(QUERIES, st.dictionaries(NAMES, st.sampled_from([0.25, 0.5, 1, 2, -1])))
QRELS = st.dictionaries(
    QUERIES,
    st.dictionaries(NAMES, st.integers(0, 100), min_size=1).filter(lambda grades: max(grades.values()) >= 50),
    min_size=1,
)
THEIRS = {
    "nDCG@10": "ndcg_cut_10",
    "RR@10": "recip_rank",
    "AP": "map",
    "Success@1": "success_1",
    "Success@5": "success_5",
    "R@1": "recall_1",
    "R@3": "recall_3",
    "R@5": "recall_5",
    "R@10": "recall_10",
    "R@20": "recall_20",
    "R@50": "recall_50",
}


@given(runs=RUNS, qrels=QRELS, relevant=st.sampled_from([1, 50]))
def test_every_measure_of_a_run_is_what_trec_eval_makes_of_it(tmp_path_factory, runs, qrels, relevant):
    """Ties, empty rankings and queries that found nothing included; the run goes through its file."""
    lines = [f"{query} Q0 {name} 1 {score} other" for query, found in runs.items() for name, score in found.items()]
    file = tmp_path_factory.getbasetemp() / "parity.run"
    file.write_text("".join(line + "\n" for line in lines) or "unjudged Q0 d0 1 1 other\n")
    measures = {"ndcg_cut.10", "recip_rank", "map", "success.1,5", "recall.1,3,5,10,20,50"}
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, measures, relevance_level=relevant)
    theirs = evaluator.evaluate({query: found for query, found in runs.items() if found})
    ours = score(load_trec_run(file).rankings, qrels, relevant=relevant)
    assert set(THEIRS) == set(MEASURES)
    assert ours.keys() == qrels.keys()
    for query, values in ours.items():
        expected = {name: theirs.get(query, {}).get(their_name, 0.0) for name, their_name in THEIRS.items()}
        expected["RR@10"] *= expected["RR@10"] >= 1 / 10  # theirs has no cut
        assert values == pytest.approx(expected, abs=1e-9)


@given(st.permutations(["a", "b", "c"]), st.lists(st.sampled_from("vwxyz"), unique=True))
def test_the_ideal_order_scores_1(relevant, others):
    values = score({"q": [*relevant, *others]}, {"q": dict.fromkeys("abc", 1)})["q"]
    assert three(values) == pytest.approx({"nDCG@10": 1, "R@10": 1, "RR@10": 1})
    assert values["AP"] == pytest.approx(1)


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


@pytest.mark.parametrize(
    ("gold", "span", "share"),
    [((10, 20), (0, 30), 1), ((10, 20), (15, 30), 0.5), ((10, 20), (0, 11), 0.1), ((10, 20), (20, 30), 0)],
)
def test_the_share_of_a_gold_quote_that_a_span_covers(gold, span, share):
    assert covered(Span(*gold), Span(*span)) == pytest.approx(share)


class Cut:
    """A generation as far as grading asks it: one article, cut where the test says."""

    def __init__(self, *spans):
        article = ArticleId("art_1")
        self._chunks = [Chunk(article, number, Span(*span)) for number, span in enumerate(spans)]
        self._article = article

    def article_row(self, article):
        return 0 if article == self._article else None

    def chunks_of(self, _row):
        return range(len(self._chunks))

    def chunk(self, row):
        return self._chunks[row]

    def grades(self, *gold):
        """The grades by the number of the chunk."""
        found = chunk_grades([Gold(self._article, Span(*span)) for span in gold], self)
        return {chunk.ordinal: found[chunk.id] for chunk in self._chunks if chunk.id in found}


def test_the_grade_of_a_chunk_is_the_share_of_the_quote_that_it_holds():
    # Of the ten characters 10..20 the chunks hold 4, 8 (12..20, overlapping the first), 2 and none.
    assert Cut((0, 14), (12, 30), (18, 40), (40, 50)).grades((10, 20)) == {0: 40, 1: 80, 2: 20}
    assert Cut((0, 30), (5, 30)).grades((10, 20)) == {0: 100, 1: 100}


def test_a_quote_split_over_three_chunks_still_has_a_relevant_one():
    # 30, 40 and 30 of 100 characters; the best is raised to 50.
    assert Cut((0, 30), (30, 70), (70, 100)).grades((0, 100)) == {0: 30, 1: 50, 2: 30}
    # Where several hold the most, each is raised.
    assert Cut((0, 30), (30, 60), (60, 90)).grades((0, 90)) == {0: 50, 1: 50, 2: 50}
    assert Cut((0, 50), (50, 51), (51, 1000)).grades((0, 1000)) == {0: 5, 1: 1, 2: 95}


def test_of_several_quotes_the_best_held_counts():
    # The first chunk holds all of the one and 1 of 10 characters of the other.
    assert Cut((0, 21), (21, 40)).grades((0, 10), (20, 30)) == {0: 100, 1: 90}


def test_a_quote_of_an_article_that_is_not_indexed_grades_nothing():
    assert chunk_grades([Gold(ArticleId("art_2"), Span(0, 5))], Cut((0, 10))) == {}


@given(st.lists(st.integers(1, 40), min_size=1), st.data())
def test_however_an_article_is_cut_every_quote_keeps_a_relevant_chunk(lengths, data):
    ends = list(accumulate(lengths))
    start = data.draw(st.integers(0, ends[-1] - 1))
    end = data.draw(st.integers(start + 1, ends[-1]))
    overlap = data.draw(st.integers(0, 5))
    grades = Cut(*((max(0, first - overlap), last) for first, last in pairwise([0, *ends]))).grades((start, end))
    assert 50 <= max(grades.values()) <= 100
    assert min(grades.values()) >= 1


def test_ndcg_of_graded_chunks_by_hand():
    """The gain is the share; the other measures know only whether it is at least one half."""
    grades = Cut((0, 14), (12, 30), (18, 40)).grades((10, 20))
    assert grades == {0: 40, 1: 80, 2: 20}
    values = score({"q": ["0", "x", "1"]}, {"q": {str(name): grade for name, grade in grades.items()}}, relevant=50)[
        "q"
    ]
    gained = 40 / log2(2) + 80 / log2(4)
    ideal = 80 / log2(2) + 40 / log2(3) + 20 / log2(4)
    assert values["nDCG@10"] == pytest.approx(gained / ideal)
    assert values["RR@10"] == values["AP"] == pytest.approx(1 / 3)
    assert (values["Success@1"], values["Success@5"], values["R@1"], values["R@3"]) == (0, 1, 0, 1)


SENTENCES = [f"Sentence {number} tells of the {number}th bridge over the river Wend." for number in range(12)]
TEXT = " ".join(SENTENCES)


@pytest.fixture(scope="module")
def cut(embedder, tmp_path_factory):
    """A function that cuts TEXT into chunks of some size, and gives the generation and its article."""

    def cut(tokens, overlap):
        article = prepare(RawArticle(text=TEXT, title="Bridges", external_id="bridges"))
        catalog = Catalog(tmp_path_factory.mktemp("cut"))
        Builder(catalog, embedder, ChunkingSettings(tokens, overlap)).build(GivenArticles([article]))
        return catalog.open_newest_good(Generation.open).value, article

    return cut


def gold_of(article, words):
    start = article.text.index(words)
    return Gold(article.id, Span(start, start + len(words)))


@pytest.mark.model
@pytest.mark.parametrize(("tokens", "overlap"), [(32, 0), (40, 16), (80, 0), (160, 40)])
def test_changing_the_chunking_breaks_no_label(cut, tokens, overlap):
    """Every quote keeps a chunk that counts as relevant; grades are the shares of it that chunks hold."""
    generation, article = cut(tokens, overlap)
    for words in (SENTENCES[3], " ".join(SENTENCES[2:9]), SENTENCES[0]):
        gold = gold_of(article, words)
        grades = chunk_grades([gold], generation)
        spans = {generation.chunk(row).id: generation.chunk(row).span for row in range(generation.chunk_count)}
        assert max(grades.values()) >= 50
        for name, span in spans.items():
            share = covered(gold.span, span)
            assert grades.get(name, 0) >= round(100 * share)
            assert (name in grades) == (share > 0)


@pytest.mark.model
def test_grades_of_articles_and_sentences(cut):
    generation, article = cut(80, 0)
    gold = gold_of(article, f"{SENTENCES[4]} {SENTENCES[5]}")
    assert article_grades([gold, gold], {article.id: "bridges"}) == {"bridges": 1}
    assert sentence_grades([gold], generation) == {"4": 1, "5": 1}
    absent = Gold("art_absent", Span(0, 5))
    assert chunk_grades([absent], generation) == sentence_grades([absent], generation) == {}
