"""`byline eval`, whole, on small sets: what it prints and writes, and its exit codes."""

import json
import sys

import pytest
from made_runs import answer, citation, result, run
from structlog.testing import capture_logs
from tiny_sets import lines, row
from typer.testing import CliRunner

from eval.cli import app
from eval.records import read_run, write_run
from service.answering.abstention import load_abstention_model
from service.cli import main

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("model_loaded")]


@pytest.fixture(autouse=True)
def logged():
    """What is logged: the root of the command line, which is left out here, says where that goes."""
    with capture_logs() as events:
        yield events


def byline_eval(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def refused(monkeypatch, capsys):
    """A function that runs the whole command line in vain; gives its exit code and what it says, boxes taken off."""
    # It would keep the standard error of this test for all others.
    monkeypatch.setattr("service.logs.configure_logging", lambda _level: None)

    def refused(*words):
        monkeypatch.setattr(sys, "argv", ["byline", "eval", *(str(word) for word in words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert said.out == ""
        return ended.value.code, " ".join(said.err.replace("│", " ").split())

    return refused


def test_a_run_prints_a_table_and_writes_a_file(question_set, eval_data, tmp_path):
    ran = byline_eval("run", "--set", question_set, "--data", eval_data, "--out", tmp_path / "run.json")
    assert ran.exit_code == 0, ran.output
    for words in ("all ", "held_out ", "time ", "off_topic ", "1.000 (2)", "exact words of their article: 1.0000"):
        assert words in ran.stdout
    for words in ("abstention: precision ", "token F1 ", "an answer takes ", "articles ", "chunks ", "sentences "):
        assert words in ran.stdout
    made = read_run(tmp_path / "run.json")
    assert (made.circumstances.set, made.circumstances.generation) == (question_set.name, "000001")
    assert [result.id for result in made.results] == ["a001", "a002", "a003", "b001", "c001", "c002"]
    assert made.figures["extractive"]["off_topic"]["declined"].n == 2
    assert made.figures["extractive"]["all"]["verbatim"].value == 1


def test_one_half_as_json(question_set, eval_data):
    ran = byline_eval("run", "--set", question_set, "--data", eval_data, "--split", "tune", "--json")
    assert ran.exit_code == 0, ran.output
    printed = json.loads(ran.stdout)
    assert set(printed) == {"format", "circumstances", "figures"}
    assert printed["circumstances"]["split"] == "tune"
    assert {"all", "tune", "time", "off_topic"} <= set(printed["figures"]["extractive"])
    assert "held_out" not in printed["figures"]["extractive"]


def test_a_mode_ranks_and_answers_nothing(question_set, eval_data):
    ran = byline_eval("run", "--set", question_set, "--data", eval_data, "--mode", "dense")
    assert ran.exit_code == 0, ran.output
    assert "dense, articles " in ran.stdout
    assert "dense, chunks " in ran.stdout
    assert "gold cited" not in ran.stdout


def test_a_citation_that_is_not_verbatim_fails_the_run(question_set, eval_data, monkeypatch):
    from eval import answers

    monkeypatch.setattr(answers, "_is_verbatim", lambda citation, texts: False)
    ran = byline_eval("run", "--set", question_set, "--data", eval_data)
    assert ran.exit_code == 1
    assert "not the exact words" in ran.stderr


def test_a_beir_folder_gives_retrieval_by_mode(beir, eval_data, tmp_path):
    ran = byline_eval("run", "--set", beir, "--data", eval_data, "--out", tmp_path / "run.json")
    assert ran.exit_code == 0, ran.output
    for words in ("nDCG@10", "hybrid", "dense", "lexical", "RRF (k=60)", "1.0000 (2)"):
        assert words in ran.stdout
    assert "Left out: 1 queries without a relevant article." in ran.stdout
    made = read_run(tmp_path / "run.json")
    assert made.figures["hybrid"]["all"]["article.nDCG@10"].value == 1
    assert [(one.system, one.id) for one in made.results[:3]] == [("hybrid", "q1"), ("hybrid", "q2"), ("dense", "q1")]


def test_whole_articles_of_a_beir_folder(beir, eval_data):
    ran = byline_eval("run", "--set", beir, "--data", eval_data, "--unit", "article", "--mode", "lexical")
    assert ran.exit_code == 0, ran.output
    assert "whole articles" in ran.stdout
    assert "lexical, articles" in ran.stdout
    assert "dense" not in ran.stdout


@pytest.fixture
def trec(tmp_path):
    """Judgments and two runs: the one finds the document at rank 1, the other at rank 2."""
    (tmp_path / "qrels.txt").write_text("q1 0 a 1\n")
    (tmp_path / "one.run").write_text("q1 Q0 a 1 2 one\nq1 Q0 b 2 1 one\n")
    (tmp_path / "two.run").write_text("q1 Q0 b 1 2 two\nq1 Q0 a 2 1 two\n")
    return [tmp_path / name for name in ("qrels.txt", "one.run", "two.run")]


def test_rankings_of_other_systems_are_scored(trec, tmp_path):
    ran = byline_eval("score", *trec, "--out", tmp_path / "run.json")
    assert ran.exit_code == 0, ran.output
    table = {line.split(",")[0]: line for line in ran.stdout.splitlines() if ", articles" in line}
    assert list(table) == ["one", "two"]
    assert table["two"].count("0.5000 (1)") == 2  # the reciprocal rank, and the average precision
    assert read_run(tmp_path / "run.json").systems == ("one", "two")
    printed = json.loads(byline_eval("score", *trec, "--json").stdout)
    assert printed["figures"]["two"]["all"]["article.RR@10"] == {"value": 0.5, "n": 1, "low": None, "high": None}


@pytest.fixture
def two_runs(tmp_path):
    """The files of two runs of 14 questions: B loses the first twelve."""
    said = answer(citation("The ferry stopped on Monday.", 0, 28))
    silent = answer(status="abstained", text="I found no sentence in the articles that clearly answers this.")
    first = run(*(result(f"q{n:02}", given=said, all_keys=1.0, latency_ms=5.0) for n in range(14)))
    second = run(
        *(
            result(f"q{n:02}", given=said if n >= 12 else silent, all_keys=float(n >= 12), latency_ms=5.0)
            for n in range(14)
        )
    )
    for name, made in (("a.json", first), ("b.json", second)):
        write_run(made, tmp_path / name)
    return tmp_path / "a.json", tmp_path / "b.json"


def test_a_comparison_says_what_is_worse_and_shows_both_answers(two_runs):
    ran = byline_eval("compare", *two_runs, "--flips", "2")
    assert ran.exit_code == 0, ran.output
    row_of_keys = next(line for line in ran.stdout.splitlines() if line.startswith("all keys"))
    # 2 of 14 are left: 0.143, a change of -0.857.
    assert row_of_keys.split()[2:5] == ["1.000", "0.143", "-0.857"]
    assert row_of_keys.split()[-2:] == ["14", "WORSE"]
    assert next(line for line in ran.stdout.splitlines() if line.startswith("latency")).split()[-1] == "same"
    assert "12 questions got worse, 0 better, of 14." in ran.stdout
    assert "q01 (worse by" in ran.stdout
    assert "q02" not in ran.stdout
    assert "10 more; --flips N shows N of them, --json all." in ran.stdout


def test_a_comparison_as_json(two_runs):
    printed = json.loads(byline_eval("compare", *two_runs, "--json").stdout)
    assert printed["questions"] == {"common": 14, "only_a": 0, "only_b": 0}
    assert (printed["differences"][0]["metric"], printed["differences"][0]["verdict"]) == ("all_keys", "worse")
    assert [flip["id"] for flip in printed["flips"]] == [f"q{n:02}" for n in range(12)]


def test_two_systems_of_one_run_are_compared_by_their_names(trec, tmp_path):
    file = tmp_path / "run.json"
    byline_eval("score", *trec, "--out", file)
    ran = byline_eval("compare", file, file, "--systems", "one,two")
    assert ran.exit_code == 0, ran.output
    reciprocal = next(line for line in ran.stdout.splitlines() if line.startswith("article RR@10"))
    assert reciprocal.split()[2:5] == ["1.000", "0.500", "-0.500"]


@pytest.fixture(scope="session")
def tolls(tmp_path_factory):
    """Twelve questions: enough for the loss of all of them to be significant."""
    folder = tmp_path_factory.mktemp("tolls")
    (folder / "articles").mkdir()
    places = "Alder Brink Crome Dunmere Elvet Farrow Gorse Harle Ilmer Jarrow Kelham Lorne".split()
    for n, place in enumerate(places):
        text = f"# The toll at {place}\n\nWhoever crosses the bridge at {place} pays {n + 20} crowns.\n"
        (folder / "articles" / f"{place.lower()}.md").write_text(text)
    questions = [
        row(
            f"t{n:03}",
            f"How many crowns is the toll of the bridge at {place}?",
            "number",
            [f"{n + 20} crowns"],
            (f"{place.lower()}.md", f"pays {n + 20} crowns"),
        )
        for n, place in enumerate(places)
    ]
    (folder / "questions.jsonl").write_text(lines(questions))
    return folder


@pytest.fixture
def answer_from(tmp_path, monkeypatch):
    """A function that sets the least confidence that answers: 0 answers everything, 1 nothing."""

    def answer_from(threshold):
        model = load_abstention_model().model_copy(update={"threshold": threshold, "relevant": -1.0})
        (tmp_path / "model.json").write_text(model.model_dump_json())
        monkeypatch.setenv("BYLINE_ABSTENTION_MODEL", str(tmp_path / "model.json"))

    return answer_from


@pytest.fixture
def gate(tolls, eval_data, tmp_path, answer_from):
    """A function that runs the gate against a baseline of the test's own; everything is answered."""
    answer_from(0.0)

    def gate(*words, place=tolls):
        return byline_eval("gate", "--set", place, "--data", eval_data, "--baseline", tmp_path / "base.json", *words)

    return gate


def test_the_gate_is_open_for_what_it_was_made_of_and_closed_for_a_loss(gate, answer_from, tmp_path):
    updated = gate("--update")
    assert updated.exit_code == 0, updated.output
    assert "base.json is now the run of " in " ".join(updated.stdout.split())
    opened = gate("--out", tmp_path / "run.json")
    assert (opened.exit_code, opened.stderr) == (0, "The gate is open: nothing is significantly worse.\n")
    assert "against the baseline" in opened.stdout
    answer_from(1.0)
    closed = gate()
    assert closed.exit_code == 1
    assert "The gate is closed: keys fell from 1.000 to 0.000 (-1.000, " in closed.stderr
    assert "The gate is closed: answered fell from " in closed.stderr
    again = gate("--run", tmp_path / "run.json")
    assert again.exit_code == 0


def test_the_gate_as_json(gate, answer_from):
    gate("--update")
    opened = json.loads(gate("--json").stdout)
    assert (opened["passed"], opened["faults"]) == (True, [])
    answer_from(1.0)
    closed = gate("--json")
    printed = json.loads(closed.stdout)
    assert (closed.exit_code, printed["passed"]) == (1, False)
    assert [one["metric"] for one in printed["metrics"] if one["worse"]][:2] == ["keys", "all_keys"]


def test_a_changed_set_needs_a_new_baseline(gate, tolls, tmp_path):
    gate("--update")
    changed = tmp_path / tolls.name
    (changed / "articles").mkdir(parents=True)
    for file in (tolls / "articles").iterdir():
        (changed / "articles" / file.name).write_text(file.read_text())
    (changed / "questions.jsonl").write_text("".join((tolls / "questions.jsonl").read_text().splitlines(True)[1:]))
    closed = gate(place=changed)
    assert closed.exit_code == 1
    assert "make the baseline anew with 'byline eval gate --update'" in " ".join(closed.stderr.split())
    assert gate("--update", place=changed).exit_code == 0
    assert gate(place=changed).exit_code == 0


def test_a_sweep_shows_a_row_for_each_combination(question_set, eval_data):
    words = ["sweep", "answer_passages=12,1", "chunk_title=true", "--set", question_set, "--data", eval_data]
    ran = byline_eval(*words)
    assert ran.exit_code == 0, ran.output
    title, head, *rest = [line for line in ran.stdout.splitlines() if line.strip()]
    assert title.strip() == f"{question_set.name}, tune, extractive"
    assert head.split()[:3] == ["answer_passages", "chunk_title", "keys"]
    assert "keys: difference" in head
    rows = [line.split() for line in rest if line.startswith(("12 ", "1 "))]
    assert [one[:2] for one in rows] == [["12", "true"], ["1", "true"]]
    assert rows[0][-3:] == ["–", "–", "–"]
    printed = json.loads(byline_eval(*words, "--json", "--by", "answered", "--split", "all").stdout)
    assert printed["by"] == "answered"
    assert [one["settings"] for one in printed["rows"]] == [
        {"answer_passages": "12", "chunk_title": "true"},
        {"answer_passages": "1", "chunk_title": "true"},
    ]
    assert [one["circumstances"]["settings"]["answer_passages"] for one in printed["rows"]] == [12, 1]
    assert {one["circumstances"]["split"] for one in printed["rows"]} == {"all"}


def test_a_sweep_of_a_beir_folder_is_by_ndcg_over_all_queries(beir, eval_data):
    ran = byline_eval("sweep", "chunk_title=true,false", "--set", beir, "--data", eval_data, "--mode", "lexical")
    assert ran.exit_code == 0, ran.output
    assert f"{beir.name}, all, lexical" in ran.stdout
    assert "article nDCG@10: difference" in ran.stdout


def test_a_calibration_writes_a_model_that_a_run_can_use(question_set, eval_data, tmp_path, monkeypatch):
    file = tmp_path / "model.json"
    ran = byline_eval("calibrate", "--set", question_set, "--data", eval_data, "--out", file, "--most-declined", "0.5")
    assert ran.exit_code == 0, ran.output
    assert "answerable declined" in ran.stdout
    assert "name it as the setting abstention_model to use it" in " ".join(ran.stderr.split())
    model = load_abstention_model(file)
    assert f"threshold {model.threshold:g}, intercept {model.intercept:g}" in " ".join(ran.stdout.split())
    assert model.fitted["most_declined"] == 0.5
    monkeypatch.setenv("BYLINE_ABSTENTION_MODEL", str(file))
    made = json.loads(byline_eval("run", "--set", question_set, "--data", eval_data, "--json").stdout)
    assert made["circumstances"]["settings"]["abstention_model"] == str(file)


def test_a_calibration_as_json(question_set, eval_data, tmp_path):
    words = ["calibrate", "--set", question_set, "--data", eval_data, "--out", tmp_path / "model.json", "--json"]
    printed = json.loads(byline_eval(*words).stdout)
    assert printed == json.loads((tmp_path / "model.json").read_text())


def test_no_figure_is_cut_off_in_80_columns(question_set, beir, eval_data, two_runs, gate, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    gate("--update")
    opened = gate()
    monkeypatch.delenv("BYLINE_ABSTENTION_MODEL")
    outputs = {
        "run": byline_eval("run", "--set", question_set, "--data", eval_data),
        "beir": byline_eval("run", "--set", beir, "--data", eval_data),
        "compare": byline_eval("compare", *two_runs),
        "gate": opened,
        "sweep": byline_eval("sweep", "answer_passages=12,1", "--set", question_set, "--data", eval_data),
        "calibrate": byline_eval(
            "calibrate", "--set", question_set, "--data", eval_data, "--out", tmp_path / "model.json"
        ),
    }
    assert {name: ran.exit_code for name, ran in outputs.items()} == dict.fromkeys(outputs, 0)
    for ran in outputs.values():
        assert "…" not in ran.stdout
    lines_of = {name: ran.stdout.splitlines() for name, ran in outputs.items()}
    whole = next(line for line in lines_of["run"] if line.startswith("all "))
    # Six figures, each with the number of its cases: four answerable questions, two others.
    assert [part for part in whole.split() if part.startswith("(")] == ["(4)"] * 5 + ["(2)"]
    assert any(line.startswith("RRF (k=60), articles") and line.count("(2)") == 5 for line in lines_of["beir"])
    assert any(
        line.startswith("all keys") and " to " in line and line.endswith("WORSE") for line in lines_of["compare"]
    )
    assert any(line.startswith("keys") and line.rstrip().endswith("same") for line in lines_of["gate"])
    assert any(line.startswith("1 ") and " to " in line for line in lines_of["sweep"])
    assert any(line.startswith(f"{question_set.name}") and "tune" in line for line in lines_of["calibrate"])


def test_an_article_steers_no_terminal(two_runs, tmp_path):
    """What an answer shows in a comparison is text that came from elsewhere."""
    evil = answer(citation("Stop \x1b[2J here.", 0, 15))
    for name, value in (("a.json", 1.0), ("b.json", 0.0)):
        write_run(run(result("q", given=evil, all_keys=value)), tmp_path / name)
    ran = byline_eval("compare", tmp_path / "a.json", tmp_path / "b.json")
    assert "\x1b" not in ran.stdout
    assert "\\x1b[2J" in ran.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--set", "no-such-set"], "'no-such-set' is no set: expected 'shipped', a folder with questions.jsonl"),
        (["run", "--out", "/no/such/folder/run.json"], "there is no folder /no/such/folder"),
        (["gate", "--out", "/no/such/folder/run.json"], "there is no folder /no/such/folder"),
        (["calibrate", "--out", "/no/such/folder/model.json"], "there is no folder /no/such/folder"),
        (["run", "--split", "half"], "'half' is not one of"),
        (["run", "--mode", "fuzzy"], "'fuzzy' is not one of"),
        (["run", "--unit", "article"], "whole articles are ranked for BEIR folders only; leave --unit out"),
        (["score", "qrels.txt"], "Missing argument 'runs'"),
        (["compare", "a.json"], "Missing argument 'B'"),
        (["sweep", "chunk_tokens"], "'chunk_tokens' is not of the form NAME=VALUE,VALUE"),
        (["sweep", "chunk_size=1"], "'chunk_size' is no setting"),
        (["sweep", "chunk_tokens=3"], "chunk_tokens: must be at least 32"),
        (["sweep", "chunk_tokens=40"], "set chunk_overlap_tokens below chunk_tokens"),
        (["sweep", "chunk_tokens=160", "--by", "speed"], "there is no metric 'speed'"),
        (["calibrate"], "Missing option '--out'"),
        (["calibrate", "--out", "model.json", "--most-declined", "2"], "should be less than or equal to 1"),
    ],
)
def test_wrong_use_exits_with_2_before_anything_is_done(refused, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, said = refused(*words)
    assert code == 2
    assert message in said
    assert list(tmp_path.iterdir()) == []


def test_a_beir_folder_has_no_halves(refused, beir):
    code, said = refused("run", "--set", beir, "--split", "tune")
    assert (code, said) == (2, "byline: a BEIR folder has no halves; leave --split out")


def test_two_systems_must_be_named(refused, two_runs):
    code, said = refused("compare", *two_runs, "--systems", "extractive")
    assert code == 2
    assert "expected two names with a comma between them" in said


def test_what_cannot_be_read_exits_with_1_and_says_what_to_do(refused, tmp_path, trec, beir):
    for words, message in [
        (["compare", tmp_path / "a.json", tmp_path / "b.json"], "make one with 'byline eval run --out FILE'"),
        (["gate", "--baseline", tmp_path / "none.json"], "make one with 'byline eval gate --update'"),
        (["score", trec[0], trec[1], trec[1]], "another run has the tag 'one', too; give each its own"),
        (["calibrate", "--set", beir, "--out", tmp_path / "m.json"], "name a question set"),
    ]:
        code, said = refused(*words)
        assert code == 1
        assert said.startswith("byline: ")
        assert message in said


def test_packages_that_are_missing_are_named_with_what_installs_them(refused, monkeypatch):
    monkeypatch.setattr("eval.cli.find_spec", lambda module: None if module in {"sklearn", "bm25s"} else object())
    code, said = refused("run")
    assert code == 1
    assert said.endswith("run: pip install bm25s scikit-learn")
