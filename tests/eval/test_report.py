"""The page of a run: it shows what the run has, all of it as text, and needs nothing else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from report_runs import (
    EMOJI,
    HOSTILE,
    THREE_SYSTEMS,
    abstention,
    answer,
    answer_run,
    citation,
    gold,
    marks,
    result,
    retrieval_run,
)
from typer.testing import CliRunner

from eval.cli import app
from eval.metrics import ANSWER_METRICS
from eval.records import FigureRecord, write_run
from eval.report import render_report
from eval.report.page import environment
from eval.report.questions import quotation
from eval.report.rankings import queries_of
from eval.report.text import hidden, plain, visible

ROOT = Path(__file__).parents[2]
PARTS = environment().get_template("parts.html").make_module({"shown_hits": 0, "by_level": None, "brief": ()})


def parse(page):
    return html.document_fromstring(page)


def said(element):
    """The text of an element as it was before hidden characters were made visible."""
    shown = element.text or ""
    for child in element:
        shown += chr(int(child.text[2:], 16)) if child.get("class") == "hidden-char" else said(child)
        shown += child.tail or ""
    return shown


def words(element):
    return " ".join(element.text_content().split())


@pytest.fixture(scope="module")
def run():
    return answer_run()


@pytest.fixture(scope="module")
def page(run):
    return render_report(run)


@pytest.fixture(scope="module")
def tree(page):
    return parse(page)


@pytest.fixture(scope="module")
def retrieval_page():
    return render_report(retrieval_run(THREE_SYSTEMS))


def question_of(tree, name):
    return tree.xpath(f"//details[contains(@class, 'question')][div/@id = 'q-{name}']")[0]


def rows_of(tree, caption):
    """A table as {row heading: {column heading: words of the cell}}."""
    table = tree.xpath(f"//table[starts-with(caption, '{caption}')]")[0]
    names = [words(cell).removesuffix(" ↓") for cell in table.xpath("thead/tr/th")][1:]
    rows = table.xpath("tbody/tr[not(@class)]")
    return {words(row.xpath("th")[0]): dict(zip(names, map(words, row.xpath("td")), strict=True)) for row in rows}


# What is shown


def test_what_went_wrong_comes_first(tree):
    groups = {
        words(group.xpath("h3/text()[last()]/..")[0]).split(" ", 1)[1].rsplit(":", 1)[0]: [
            said(one) for one in group.xpath("details/summary/span[@class = 'id']/bdi")
        ]
        for group in tree.xpath("//section[@class = 'group']")
    }
    assert list(groups.items()) == [
        ("Wrong answers 1", ["wrong1"]),
        ("Missed abstentions 1", ["missed1"]),
        ("Declined, though answerable 1", ["declined1"]),
        ("Partly right 2", ["partial1", "hidden1"]),
        ("Right answers 5", ["right1", "emoji1", "conflict1", "follow1", HOSTILE]),
        ("Rightly declined 1", ["off1"]),
    ]


def test_figures_are_those_of_the_run(run, tree):
    groups = run.figures["extractive"]
    shown = rows_of(tree, "Answers")
    assert set(shown) == {name.replace("_", " ") for name in groups}
    compared = 0
    for group, figures in groups.items():
        for metric in ANSWER_METRICS:
            if metric.label in shown["all"]:
                figure = figures.get(metric.name)
                expected = f"{figure.value:.3f}n {figure.n}" if figure else "–"
                assert shown[group.replace("_", " ")][metric.label] == expected
                compared += figure is not None
    assert compared > 50
    assert rows_of(tree, "Abstention")["all"] == {"precision": "0.500n 2", "recall": "0.500n 2", "F1": "0.500n 11"}
    # By hand: 8 of the 9 answerable questions got an answer; the keys of 6 are whole.
    assert words(tree.xpath("//p[@class = 'said']")[0]) == (
        "6 of 9 answerable questions have every key in their answer. 1 of 2 unanswerable ones were declined. "
        "1 of 9 answerable ones were declined, too."
    )
    assert rows_of(tree, "Time")["search"]["p95 ms"] == "20.0n 11"
    assert rows_of(tree, "Retrieval")["extractive"]["R@1"] == "0.000n 1"


def test_an_interval_stands_with_its_figure():
    run = answer_run()
    figures = {"extractive": {"all": {"keys": FigureRecord(value=0.5, n=4, low=0.25, high=0.75)}}}
    shown = rows_of(parse(render_report(run.model_copy(update={"figures": figures}))), "Answers")
    assert shown["all"]["keys"] == "0.5000.250–0.750 · n 4"


def test_a_metric_that_nobody_knows_is_shown(tree):
    name = words(html.fragment_fromstring(f"<p>{visible(HOSTILE)}</p>"))
    assert rows_of(tree, "Answers")["fact"][name] == "0.500n 1"


def test_the_head_says_what_was_run(tree):
    made = {words(pair.xpath("dt")[0]): words(pair.xpath("dd")[0]) for pair in tree.xpath("//dl[@class = 'made']/div")}
    assert made["Set"] == "hand-made abababababab"
    assert made["Revision"] == "1234567890ab ! files were changed"
    assert made["Settings that differ"] == "chunk_tokens = 120 (default 160)"
    assert made["Machine"] == "Some CPU, 2 cores, 8 GiB, Linux"
    assert words(tree.xpath("//p[@class = 'lead']")[0]) == (
        "11 questions, 2026-03-04 05:06 UTC, searched: hybrid; 2 left out: without gold"
    )


def test_quotes_are_marked_in_their_passages(run, tree):
    for one in run.results[:-1]:
        shown = question_of(tree, one.id).xpath(".//li[@class = 'quotation']")
        records = (*one.answer.citations, *one.answer.nearest)
        assert [said(item.xpath("blockquote/mark")[0]) for item in shown] == [record.quote for record in records]
        assert [said(item.xpath("blockquote")[0]) for item in shown] == [record.passage.text for record in records]
    assert EMOJI in said(question_of(tree, "emoji1").xpath(".//mark")[0])


def test_a_quote_that_is_not_in_its_passage_is_said_to_be_astray():
    wrong = citation(1, "Here are the gold words.").model_copy(update={"quote": "Here are other words."})
    shown = question_of(
        parse(render_report(answer_run(result("astray", answer(wrong), metrics=marks(1.0, 1.0))))), "astray"
    )
    item = shown.xpath(".//li[@class = 'quotation']")[0]
    assert "not the words of the passage" in words(item)
    assert said(item.xpath(".//mark")[0]) == "Here are other words."
    assert said(item.xpath("blockquote")[1]) == wrong.passage.text


def test_quotes_that_are_not_verbatim_are_an_alarm(tree):
    assert not tree.xpath("//*[@class = 'alarm']")
    bad = result(
        "bad1", answer(citation(1, "Here are the gold words.")), metrics=marks(1.0, 1.0, 1.0) | {"verbatim": 0.0}
    )
    alarm = parse(render_report(answer_run(bad, *answer_run().results[:9999])))
    found = alarm.xpath("//*[@class = 'alarm']")[0]
    assert "Only 0.9167 of the quotes are (mean over n 12)" in words(found)
    assert found.xpath("a/@href") == ["#q-bad1"]
    # However near to 1 the mean is.
    nearly = answer_run().model_copy(
        update={"figures": {"extractive": {"all": {"verbatim": FigureRecord(value=0.99999, n=9)}}}}
    )
    assert parse(render_report(nearly)).xpath("//*[@class = 'alarm']")


def test_an_answer_shows_marks_support_and_what_is_missing(tree):
    wrong = question_of(tree, "wrong1")
    assert [words(tag) for tag in wrong.xpath(".//ul[@class = 'gold']//span[contains(@class, 'tag')]")] == [
        "found at rank 4",
        "∅ not among the hits",
    ]
    assert "✗ wrong" in words(wrong)
    assert (
        words(wrong.xpath("summary/span[@class = 'counts']")[0])
        == "Wrong answers. keys 0/1 · cited right 0/1 · gold 0/2"
    )
    partial = question_of(tree, "partial1")
    assert [words(key) for key in partial.xpath(".//ul[@class = 'keys']/li")] == [
        "✓ gold words found",
        "✗ absent not found",
    ]
    assert partial.xpath(".//a[@class = 'mark']/@href") == ["#c1.q-partial1", "#c2.q-partial1"]
    assert [said(one) for one in partial.xpath(".//span[@class = 'unsupported']")] == [
        "Half of the gold words.",
        "Not that.",
    ]
    assert "! degraded" in words(partial)


def test_abstentions_conflicts_history_and_judge_are_shown(tree):
    declined = question_of(tree, "declined1")
    assert "no sentence clearly answers it" in words(declined)
    assert [said(mark) for mark in declined.xpath(".//h4[. = 'Nearest']/following-sibling::ol[1]//mark")] == [
        "A near one."
    ]
    assert "made_up" in words(question_of(tree, "off1"))
    conflict = question_of(tree, "conflict1")
    assert words(conflict.xpath(".//ul[@class = 'conflicts']/li")[0]) == "the number: 12 against 15 [1][2]"
    assert "correct Both stand there." in words(conflict)
    follow = question_of(tree, "follow1")
    assert [words(turn) for turn in follow.xpath(".//ol[@class = 'history']/li")] == [
        "user Who was first?",
        "assistant Ines Roth.",
    ]
    assert "2025-06-07" in words(follow)


def test_risk_and_coverage_are_over_the_answers_given(tree):
    # One system: 0.9 is wrong, all others are sure to 0.75 and 6 + hidden1 of those 9 are right: risk of the tie is 2 / 9.
    caption = next(words(c) for c in tree.xpath("//figcaption") if c.text_content().startswith("Risk"))
    curve = [(1 + tied * 2 / 8) / (1 + tied) for tied in range(9)]
    best = [max(0, place - 6) / place for place in range(1, 10)]
    assert (
        f"Of 9 answers that were given. Area under the curve {sum(curve) / 9:.3f}, best possible {sum(best) / 9:.3f}"
        in caption
    )


def test_a_plot_without_data_is_left_out_and_named():
    page = parse(
        render_report(answer_run(result("off", abstention(), unanswerable="off_topic", metrics={"declined": 1.0})))
    )
    notes = [words(note) for note in page.xpath("//section[@id = 'plots']/p")]
    assert "Left out: Risk and coverage, because no answers were given." in notes
    assert "Left out: Recall over k, because the run has no figures of retrieval." in notes


# Nothing but text, and nothing from outside


@pytest.mark.parametrize("name", ["page", "retrieval_page"])
def test_the_page_needs_nothing_else(name, request):
    page = request.getfixturevalue(name)
    tree = parse(page)
    assert not tree.xpath(
        "//script | //link | //img | //iframe | //object | //embed | //base | //form | //foreignObject"
    )
    assert not tree.xpath(
        "//@src | //@srcset | //@action | //@background | //@data | //*/@*[starts-with(name(), 'on')]"
    )
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    links = tree.xpath("//@href")
    assert links
    assert {link[0] for link in links} == {"#"}
    assert {link[1:] for link in links} <= set(ids)
    assert {ref for refs in tree.xpath("//@aria-labelledby") for ref in refs.split()} <= set(ids)
    style = "".join(tree.xpath("//style/text()"))
    assert "@import" not in style
    assert "url(" not in style
    assert set(re.findall(r"url\(.", "".join(tree.xpath("//@style | //@clip-path")))) <= {"url(#"}
    assert set(re.findall(r"url\(#([^)]*)\)", "".join(tree.xpath("//@clip-path")))) <= set(ids)
    assert page.startswith("<!doctype html>")
    assert "default-src 'none'" in tree.xpath("//meta[@http-equiv = 'Content-Security-Policy']/@content")[0]


def test_plots_have_names_and_scale(tree):
    plots = tree.xpath("//figure/*[local-name() = 'svg']")
    assert len(plots) >= 6
    for plot in plots:
        assert plot.get("role") == "img"
        assert plot.get("viewbox", plot.get("viewBox"))
        assert plot.get("width") is None
        assert words(plot.xpath("*[local-name() = 'title']")[0])


def test_hostile_text_is_shown_and_does_nothing(page, tree):
    shown = tree.xpath("//details[summary/span[@class = 'id'][contains(., '<script>')]]")[0]
    assert said(shown.xpath("summary/span[@class = 'asked']")[0]) == HOSTILE
    assert said(shown.xpath(".//li[@class = 'quotation']/blockquote/mark")[0]) == HOSTILE
    assert said(shown.xpath(".//cite")[0]) == HOSTILE
    assert said(shown.xpath(".//ol[@class = 'history']//span[@class = 'words']")[0]) == HOSTILE
    assert not [char for char in page if hidden(char)]
    for left in ("<script", "<img", "<!-- "):
        assert left not in page


def test_a_hostile_name_of_set_and_system():
    run = retrieval_run(
        {HOSTILE: [1, None], "other": [2, None]}, set=HOSTILE, split=HOSTILE, mode=HOSTILE, excluded={HOSTILE: 1}
    )
    page = render_report(run)
    assert not [char for char in page if hidden(char)]
    assert "<script" not in page
    assert said(parse(page).xpath("//h1/bdi")[0]) == HOSTILE


spans = st.text(max_size=60).flatmap(
    lambda text: st.tuples(st.just(text), st.integers(0, len(text)), st.integers(0, len(text)))
)


@given(spans, st.integers(0, 10**6))
def test_the_marked_words_are_exactly_the_quote(passage, offset):
    text, one, other = passage
    start, end = sorted((one, other))
    record = citation(1, text[start:end], before=text[:start], after=text[end:], start=offset)
    item = html.fragment_fromstring(f"<ol>{PARTS.quotation(quotation(record, 'c1'))}</ol>")
    assert said(item.xpath(".//mark")[0]) == text[start:end]
    assert said(item.xpath(".//blockquote")[0]) == text


def test_hidden_characters_are_named():
    assert visible("a\u202eb<") == 'a<span class="hidden-char">U+202E</span>b&lt;'
    assert plain("a\u202eb<") == "a[U+202E]b<"
    assert visible("👩‍🚀 é\n\t") == "👩‍🚀 é\n\t"


def test_the_same_run_gives_the_same_bytes(tmp_path, page, run):
    write_run(run, tmp_path / "run.json")
    code = "import sys; from pathlib import Path; from eval.records import read_run; from eval.report import write_report; write_report(read_run(Path(sys.argv[1])), Path(sys.argv[2]))"
    again = tmp_path / "again.html"
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "run.json", again],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        check=True,
    )
    assert again.read_bytes() == page.encode()


# Rankings


def test_queries_are_those_without_a_find_and_those_that_differ():
    queries = queries_of(retrieval_run(THREE_SYSTEMS), list(THREE_SYSTEMS))
    assert [query.first.id for query in queries.nothing] == ["q3"]
    # Spreads by hand: q2 1 - 1/5, q4 1/2 - 1/10; q1 is the same everywhere.
    assert [(query.first.id, round(query.spread, 3)) for query in queries.differing] == [("q2", 0.8), ("q4", 0.4)]
    assert queries.left_out == 1


@pytest.mark.parametrize(
    ("nothing", "differing", "listed"),
    [(300, 300, (100, 100)), (300, 10, (190, 10)), (5, 300, (5, 195)), (5, 5, (5, 5))],
)
def test_no_more_than_200_queries_are_listed(nothing, differing, listed):
    run = retrieval_run({"one": [None] * nothing + [1] * differing, "two": [None] * nothing + [2] * differing})
    queries = queries_of(run, ["one", "two"])
    assert (len(queries.nothing), len(queries.differing)) == listed
    assert queries.left_out == nothing + differing - sum(listed)
    assert queries.unfound == nothing


def test_a_retrieval_run_compares_its_systems(retrieval_page):
    tree = parse(retrieval_page)
    shown = rows_of(tree, "Retrieval")
    # (1 + 1 + 0 + 1/2) / 4, (1 + 1/2 + 0 + 1/10) / 4, (1 + 1/5 + 0 + 1/2) / 4
    assert [row["nDCG@10"][:5] for row in shown.values()] == ["0.625", "0.400", "0.425"]
    # Between its lowest and its highest query, with how many there were.
    assert shown["hybrid"]["nDCG@10"] == "0.6250.250–1.000 · n 4"
    assert words(tree.xpath("//p[@class = 'said']")[0]) == (
        "Best by nDCG@10 is hybrid; 1 of 4 queries found nothing in the first ten under any system."
    )
    assert "3 of 4 queries are listed" in words(tree.xpath("//section[@id = 'queries']/p")[0])
    second = tree.xpath("//details[div/@id = 'r-q2']")[0]
    assert [words(p) for p in second.xpath(".//section/p[2]")] == [
        f"First relevant hit at rank {r}." for r in (1, 2, 5)
    ]


def test_two_answering_systems_have_anchors_of_their_own():
    first = result("a1", answer(citation(1, "Here are the gold words.")), metrics=marks(1.0, 1.0, 1.0))
    second = first.model_copy(update={"system": "llm"})
    tree = parse(render_report(answer_run(first, second)))
    ids = tree.xpath("//@id")
    assert {"q-a1", "q2-a1"} <= set(ids)
    assert len(ids) == len(set(ids))


# The command


def report(*args):
    return CliRunner().invoke(app, ["report", *map(str, args)])


def test_the_command_writes_the_page(tmp_path, run, page):
    write_run(run, tmp_path / "run.json")
    ran = report(tmp_path / "run.json", "--out", tmp_path / "page.html")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.strip() == str(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page


def test_wrong_use_of_the_command_says_what_is_wrong(tmp_path, run):
    missing = report(tmp_path / "none.json", "--out", tmp_path / "page.html")
    assert "cannot be read: No such file" in str(missing.exception)
    (tmp_path / "other.json").write_text("{}")
    other = report(tmp_path / "other.json", "--out", tmp_path / "page.html")
    assert "is no run of the format 'byline-run/1'" in str(other.exception)
    assert not (tmp_path / "page.html").exists()
    nowhere = report(tmp_path / "other.json", "--out", tmp_path / "none" / "page.html")
    assert nowhere.exit_code == 2
    assert "there is no folder" in nowhere.stderr
    write_run(run, tmp_path / "run.json")
    itself = report(tmp_path / "run.json", "--out", tmp_path / "run.json")
    assert itself.exit_code == 2
    assert "is the run itself" in " ".join(itself.stderr.replace("│", " ").split())


def test_questions_without_an_answer_are_counted():
    lost = result("lost", None, metrics=marks(0.0))
    tree = parse(render_report(answer_run(lost, *answer_run().results)))
    assert "Left out: 1 of which the run holds no answer." in [
        words(note) for note in tree.xpath("//p[@class = 'note']")
    ]


def test_a_run_of_nothing_has_a_page():
    nothing = answer_run().model_copy(update={"results": (), "figures": {}})
    assert "0 questions" in words(parse(render_report(nothing)))


def test_missed_gold_is_what_no_citation_overlaps():
    one = result(
        "g", answer(citation(1, "x")), gold=(gold(), gold("missed", cited=False, rank=None)), metrics=marks(0.0, 1.0)
    )
    shown = question_of(parse(render_report(answer_run(one))), "g")
    assert [said(quote) for quote in shown.xpath(".//ul[@class = 'gold']//blockquote")] == ["missed"]
