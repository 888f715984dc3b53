"""Sets run with the real model: what is asked and searched, and what the run says of it."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from tiny_sets import lines, row, write_question_set

from eval.asking import run_questions
from eval.metrics import MEASURES, figures
from eval.ranking import RRF, run_trec
from eval.records import read_run, write_run
from eval.running import run_set
from eval.sets.lines import DatasetError
from eval.sets.opening import open_set
from eval.watching import Watch
from index.searcher import Searcher
from service.errors import WrongUse
from service.settings import Settings

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("model_loaded")]


@pytest.fixture
def run(eval_data):
    """A function that runs a set in the shared data folder."""

    def run(place, *, data=eval_data, split="all", mode=None, unit="chunk", watch=None, **settings):
        return run_set(str(place), Settings(data=data, **settings), split=split, mode=mode, unit=unit, watch=watch)

    return run


@pytest.fixture
def asked(run, question_set):
    return run(question_set)


def by_id(run):
    return {result.id: result for result in run.results}


def test_questions_are_asked_in_the_order_of_the_set_and_answered(asked, question_set):
    assert [result.id for result in asked.results] == ["a001", "a002", "a003", "b001", "c001", "c002"]
    first = asked.results[0]
    assert (first.system, first.split, first.expected, first.answer.status) == (
        "extractive",
        "tune",
        "Monday",
        "answered",
    )
    assert "stopped on Monday" in first.answer.text
    assert {name: first.metrics[name] for name in ("keys", "all_keys", "answered", "verbatim", "supported")} == {
        "keys": 1,
        "all_keys": 1,
        "answered": 1,
        "verbatim": 1,
        "supported": 1,
    }
    assert (first.gold[0].title, first.gold[0].quote, first.gold[0].cited) == (
        "Ferry to Hallin stops",
        "stopped on Monday",
        True,
    )
    declined = by_id(asked)["b001"]
    assert (declined.answer.status, declined.metrics["declined"], declined.gold) == ("abstained", 1, ())
    assert all(result.metrics["latency_ms"] > 0 for result in asked.results)


def test_the_figures_follow_from_the_results(asked):
    assert asked.figures == figures(asked.results)
    assert asked.figures["extractive"]["off_topic"]["declined"].n == 2


def test_the_circumstances_are_all_that_can_move_a_figure(asked, question_set):
    made = asked.circumstances
    assert (made.set, made.split, made.mode, made.unit) == (question_set.name, "all", "answers", "chunk")
    assert (made.settings["chunk_tokens"], made.articles, made.generation) == (160, 6, "000001")
    assert made.model == "all-MiniLM-L6-v2"
    assert [len(digest) for digest in (made.model_sha256, made.set_sha256)] == [64, 64]
    assert not {"data", "host", "port"} & made.settings.keys()


def test_a_passage_rebuilds_its_quote_and_a_gold_quote_is_the_words_of_its_article(asked, question_set):
    articles = {article.id: article for article in open_set(str(question_set)).articles}
    shown = [one for result in asked.results for one in (*result.answer.citations, *result.answer.nearest)]
    assert len(shown) > 6
    for one in shown:
        passage, text = one.passage, articles[one.article_id].text
        assert passage.text[one.start - passage.start : one.end - passage.start] == one.quote
        assert text[passage.start : passage.end] == passage.text
    for gold in (gold for result in asked.results for gold in result.gold):
        assert articles[gold.article_id].text[gold.start : gold.end] == gold.quote


def test_a_real_run_reads_as_it_was_written(asked, tmp_path):
    write_run(asked, tmp_path / "a.json")
    read = read_run(tmp_path / "a.json")
    assert read == asked
    write_run(read, tmp_path / "b.json")
    assert (tmp_path / "b.json").read_bytes() == (tmp_path / "a.json").read_bytes()


def test_a_question_brings_its_own_history_and_day(asked):
    follow_up, on_a_day = by_id(asked)["c001"], by_id(asked)["c002"]
    assert follow_up.answer.searched == "Where did the library of Tamsel get wet?"
    assert [turn.content for turn in follow_up.history] == [
        "Until when is the library of Tamsel closed?",
        "Until September.",
    ]
    assert {cited.published_at.isoformat() for cited in on_a_day.answer.citations} == {"2026-03-01"}
    assert on_a_day.metrics["keys"] == 1


def wire(folder, articles, *questions):
    """A question set whose articles are lines of one file."""
    (folder / "articles").mkdir()
    (folder / "articles" / "wire.jsonl").write_text(lines(articles))
    (folder / "questions.jsonl").write_text(lines(questions))
    return folder


def test_as_of_a_day_the_articles_of_that_time_come_first(run, tmp_path):
    articles = [
        {"id": "old", "text": "The toll at Wexcombe is 5 crowns.", "published": "2026-03-01"},
        {"id": "new", "text": "Since the flood the toll at Wexcombe is 7 crowns.", "published": "2026-05-01"},
    ]
    question = "How much is the toll at Wexcombe since the flood?"
    gold = ("wire.jsonl#old", "The toll at Wexcombe is 5 crowns.")
    place = wire(
        tmp_path,
        articles,
        row("then", question, "number", ["5 crowns"], gold, as_of="2026-04-01"),
        row("now", question, "number", ["5 crowns"], gold),
    )
    then, now = run(place, data=tmp_path).results
    assert (then.as_of.isoformat(), now.as_of) == ("2026-04-01", None)
    assert [hit.gain for hit in then.hits] == [100, 0]
    assert [hit.gain for hit in now.hits] == [0, 100]
    shown = (*then.answer.citations, *then.answer.nearest)
    assert {one.published_at.isoformat() for one in shown} == {"2026-03-01"}
    assert (then.metrics["article.RR@10"], now.metrics["article.RR@10"]) == (1, 1 / 2)


TOWER = """The harbour office has rules for visitors of the lighthouse tower.
Whoever wants to climb the lighthouse tower of Gull Point must bring:
- Sturdy shoes that have been cleaned of sand and of sea weed
- A ticket that was bought at the harbour office the same day
- A bright torch with batteries that last for two hours
- A letter of consent, for children of less than twelve years"""


def test_a_list_that_reaches_beyond_its_chunk_has_a_passage_that_holds_it(run, tmp_path):
    item = "A bright torch with batteries that last for two hours"
    question = "What must visitors bring to climb the lighthouse tower of Gull Point?"
    place = wire(
        tmp_path,
        [{"id": "tower", "title": "Tower", "text": TOWER}],
        row("list", question, "list", ["torch"], ("wire.jsonl", item)),
    )
    (result,) = run(place, data=tmp_path, chunk_tokens=32, chunk_overlap_tokens=0).results
    shown = (*result.answer.citations, *result.answer.nearest)
    (cited,) = [one for one in shown if one.quote.count("\n- ") == 4]
    chunks = [tuple(int(place) for place in hit.id.rpartition(":")[2].split("-")) for hit in result.hits]
    assert not any(start <= cited.start and cited.end <= end for start, end in chunks)
    assert cited.passage.text[cited.start - cited.passage.start : cited.end - cited.passage.start] == cited.quote


def test_a_list_is_no_sentence_of_the_ranking_of_sentences(run, tmp_path):
    """Its lead-in and first items would stand before the item that is meant."""
    item = "A bright torch with batteries that last for two hours"
    place = wire(
        tmp_path,
        [{"id": "tower", "title": "Tower", "text": TOWER}],
        row("list", "Which bright torch must visitors bring?", "list", ["torch"], ("wire.jsonl", item)),
    )
    (result,) = run(place, data=tmp_path).results
    assert result.metrics["sentence.RR@10"] == 1


def test_the_first_relevant_hit_of_a_question_is_the_best_rank_of_its_gold(run, question_set):
    """However small the chunks: this set has a quote that no chunk of 32 tokens holds half of."""
    for settings in ({}, {"chunk_tokens": 32, "chunk_overlap_tokens": 0}):
        for result in run(question_set, mode="hybrid", **settings).results:
            ranks = [gold.rank for gold in result.gold if gold.rank is not None]
            expected = 1 / min(ranks) if ranks and min(ranks) <= 10 else 0
            assert result.metrics.get("chunk.RR@10", 0) == pytest.approx(expected)


def test_a_quote_over_many_chunks_has_a_rank(run, tmp_path, question_set, eval_data):
    text = (question_set / "articles" / "mill.md").read_text().split("\n\n")[1].strip()
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "mill.md").write_text(f"# The mill of Oderau\n\n{text}\n")
    question = row("m1", "How much rye did the mill of Oderau grind?", "list", ["rye"], ("mill.md", text))
    (tmp_path / "questions.jsonl").write_text(lines([question]))
    (result,) = run(tmp_path, mode="hybrid", chunk_tokens=64, chunk_overlap_tokens=0).results
    assert result.metrics["chunk.RR@10"] == 1 / result.gold[0].rank
    assert 0 < max(hit.gain for hit in result.hits) <= 50


def test_with_a_mode_questions_are_only_searched_for(run, question_set):
    for mode in ("dense", "lexical"):
        searched = run(question_set, mode=mode)
        assert searched.systems == (mode,)
        assert searched.circumstances.mode == mode
        first = searched.results[0]
        assert first.answer is None
        assert set(first.metrics) == {f"{level}.{measure}" for level in ("article", "chunk") for measure in MEASURES}
        assert (first.hits[0].title, first.hits[0].gain) == ("Ferry to Hallin stops", 100)
        assert by_id(searched)["b001"].metrics == {}


def test_with_answers_the_sentences_are_ranked_too(asked):
    names = set(asked.results[0].metrics)
    assert {f"sentence.{measure}" for measure in MEASURES} <= names
    assert asked.results[0].metrics["sentence.RR@10"] == 1


def test_a_half_is_asked_alone_and_an_empty_one_is_refused(run, question_set, tmp_path):
    half = run(question_set, split="tune", mode="lexical")
    assert [result.id for result in half.results] == [r.id for r in run(question_set).results if r.split == "tune"]
    assert half.circumstances.split == "tune"
    (tmp_path / "sentences.jsonl").write_text(
        lines([{"id": "a001", "question": "When?", "sentences": ["It stopped."], "labels": [1]}])
    )
    with pytest.raises(DatasetError, match="has no question in the half 'held_out'; leave --split out to ask all"):
        run(tmp_path / "sentences.jsonl", split="held_out", data=tmp_path)


def test_a_question_about_one_article_is_asked_of_it_alone(run, tmp_path):
    twins = [
        {
            "id": name,
            "question": "When did the ferry to Hallin stop?",
            "title": f"Ferry {name}",
            "sentences": [f"The ferry to Hallin stopped on {day}.", "Its owner has no money left."],
            "labels": [1, 0],
        }
        for name, day in (("s1", "Monday"), ("s2", "Friday"))
    ]
    (tmp_path / "sentences.jsonl").write_text(lines(twins))
    made = run(tmp_path, data=tmp_path)
    for result in made.results:
        own = {result.gold[0].article_id}
        assert {hit.article_id for hit in result.hits} == own
        assert {one.article_id for one in (*result.answer.citations, *result.answer.nearest)} == own
    assert [result.metrics["sentence.RR@10"] for result in made.results] == [1, 1]
    assert "keys" not in made.results[0].metrics


def test_the_order_of_articles_and_questions_changes_nothing(run, asked, question_set, embedder, tmp_path):
    """So that ties fall alike; the index is made anew, in another folder."""
    opened = open_set(str(question_set))
    turned = replace(opened, articles=opened.articles[::-1], questions=opened.questions[::-1])
    other = run_questions(turned, question_set, Settings(data=tmp_path), "all", None, Watch(), embedder)
    timed = ("latency_ms", "cpu_ms")
    for result in other.results:
        same = by_id(asked)[result.id]
        assert (result.hits, result.gold) == (same.hits, same.gold)
        assert (result.answer.text, result.answer.citations) == (same.answer.text, same.answer.citations)
        assert {n: v for n, v in result.metrics.items() if n not in timed} == {
            n: v for n, v in same.metrics.items() if n not in timed
        }


def test_articles_that_tie_fall_alike_whatever_their_order(question_set, embedder, tmp_path):
    twins = [{"id": name, "title": "Toll", "text": "The toll at Wexcombe is 5 crowns."} for name in "abcd"]
    gold = ("wire.jsonl#a", "The toll at Wexcombe is 5 crowns.")
    (tmp_path / "set").mkdir()
    opened = open_set(str(wire(tmp_path / "set", twins, row("t", "What is the toll?", "number", ["5 crowns"], gold))))
    found = [
        run_questions(
            replace(opened, articles=articles),
            tmp_path / "set",
            Settings(data=tmp_path / str(turn)),
            "all",
            "hybrid",
            Watch(),
            embedder,
        ).results
        for turn, articles in enumerate((opened.articles, opened.articles[::-1]))
    ]
    assert found[0] == found[1]
    assert len({hit.score for hit in found[0][0].hits}) == 1


def test_a_set_has_the_same_articles_wherever_it_lies(question_set, tmp_path):
    """Ids decide ties; one made of the path of this checkout would move figures from one machine to the next."""
    assert open_set(str(write_question_set(tmp_path))).articles == open_set(str(question_set)).articles


def test_the_index_is_made_once_and_again_for_other_chunks(run, question_set, tmp_path):
    def chunks(**settings):
        made = run(question_set, data=tmp_path, mode="lexical", **settings).circumstances
        return made.generation, made.chunks

    before = chunks()
    assert chunks() == before
    assert len(list((tmp_path / "eval").iterdir())) == 1
    small = chunks(chunk_tokens=32, chunk_overlap_tokens=0)
    assert small[1] > before[1]
    times = {folder: folder.stat().st_mtime_ns for folder in (tmp_path / "eval").iterdir()}
    assert len(times) == 2
    assert chunks() == before
    assert {folder: folder.stat().st_mtime_ns for folder in (tmp_path / "eval").iterdir()} == times


def test_the_watch_is_told_of_every_step(run, question_set):
    told = []

    @contextmanager
    def steps(what, total):
        yield lambda: told.append((what, total))

    run(question_set, mode="lexical", split="tune", watch=Watch(steps=steps))
    assert told == [("searching", len(told))] * len(told) != []


def test_a_beir_folder_is_ranked_by_every_mode_and_their_usual_fusion(run, beir, monkeypatch):
    asked = []
    search = Searcher.search

    def watched(self, query, **options):
        asked.append((query, options["mode"], options["top_k"]))
        return search(self, query, **options)

    monkeypatch.setattr(Searcher, "search", watched)
    made = run(beir)
    queries = ("ferry to Hallin", "roof of the Tamsel library")
    assert asked == [(query, mode, 100) for mode in ("hybrid", "dense", "lexical") for query in queries]
    assert made.systems == ("hybrid", "dense", "lexical", RRF)
    assert made.circumstances.excluded == {"queries without a relevant article": 1}
    first = made.results[0]
    assert (first.system, first.id, first.question, first.type, first.split) == (
        "hybrid",
        "q1",
        "ferry to Hallin",
        None,
        None,
    )
    assert (first.hits[0].id, first.hits[0].gain, first.hits[0].score) == ("ferry", 1, 1)
    assert set(first.metrics) == {f"article.{measure}" for measure in MEASURES}
    assert [result.metrics["article.RR@10"] for result in made.results] == [1] * 8


def test_a_beir_folder_is_ranked_by_one_mode_if_asked(run, beir):
    made = run(beir, mode="lexical")
    assert made.systems == ("lexical",)
    assert made.circumstances.mode == "lexical"


def test_whole_articles_are_ranked_for_comparison(run, beir):
    made = run(beir, unit="article")
    assert made.systems == ("hybrid", "dense", "lexical", RRF)
    assert (made.circumstances.unit, made.circumstances.generation) == ("article", None)
    assert [(result.system, result.hits[0].id) for result in made.results] == [
        (system, found) for system in made.systems for found in ("ferry", "library")
    ]


def test_what_a_set_cannot_do_is_wrong_use(run, beir, question_set):
    with pytest.raises(WrongUse, match="has no halves; leave --split out"):
        run(beir, split="tune")
    with pytest.raises(WrongUse, match="for BEIR folders only; leave --unit out"):
        run(question_set, unit="article")


def test_runs_of_other_systems_are_scored_by_hand(tmp_path):
    (tmp_path / "qrels.txt").write_text("q1 0 a 1\nq1 0 b 2\nq2 0 a 1\nq3 0 a 0\n")
    (tmp_path / "bm25.run").write_text("q1 Q0 x 1 3 bm25\nq1 Q0 b 2 2 bm25\nq1 Q0 a 3 1 bm25\nq9 Q0 a 1 1 bm25\n")
    (tmp_path / "other.run").write_text("q2 Q0 a 1 1 other\n")
    files = [tmp_path / "bm25.run", tmp_path / "other.run"]
    made = run_trec(tmp_path / "qrels.txt", files, Settings(data=tmp_path))
    assert made.systems == ("bm25", "other")
    found = {(result.system, result.id): result for result in made.results}
    assert list(found) == [("bm25", "q1"), ("bm25", "q2"), ("other", "q1"), ("other", "q2")]
    assert found["bm25", "q1"].metrics["article.AP"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert [(hit.id, hit.gain) for hit in found["bm25", "q1"].hits] == [("x", 0), ("b", 2), ("a", 1)]
    assert {key: result.metrics["article.RR@10"] for key, result in found.items()} == {
        ("bm25", "q1"): 1 / 2,
        ("bm25", "q2"): 0,
        ("other", "q1"): 0,
        ("other", "q2"): 1,
    }
    assert made.figures["bm25"]["all"]["article.RR@10"].value == pytest.approx((1 / 2 + 0) / 2)
    assert made.circumstances.excluded == {"queries without a relevant article": 1}


def test_runs_of_one_tag_and_judgments_of_nothing_are_refused(tmp_path):
    qrels, file, twin = tmp_path / "q.txt", tmp_path / "a.run", tmp_path / "b.run"
    qrels.write_text("q1 0 a 1\n")
    for one in (file, twin):
        one.write_text("q1 Q0 a 1 1 same\n")
    with pytest.raises(DatasetError, match=r"b\.run: another run has the tag 'same', too; give each its own"):
        run_trec(qrels, [file, twin], Settings(data=tmp_path))
    qrels.write_text("q1 0 a 0\n")
    with pytest.raises(DatasetError, match="no query has a relevant document"):
        run_trec(qrels, [file], Settings(data=tmp_path))
