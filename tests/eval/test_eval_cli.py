"""`byline eval run`, whole, on small sets of three articles."""

import json

import pytest
from typer.testing import CliRunner

from eval.cli import app, measure_answers
from index.searcher import Searcher
from service.settings import Settings

ARTICLES = {
    "ferry": "# Ferry to Hallin stops\n\nThe ferry to Hallin stopped on Monday.\n\nIts owner, Brede Lines, has no money left.\n",
    "library": "# Library of Tamsel closes\n\nThe library of Tamsel closes for repairs until September.\n\nWater came through the roof in January.\n",
    "telescope": "# Telescope for Mount Kerro\n\nThe observatory on Mount Kerro received a telescope of 2 metres.\n",
}


def row(name, question, kind, keys=(), gold=None, unanswerable=None):
    return {
        "id": name,
        "question": question,
        "type": kind,
        "answer": keys[0] if keys else None,
        "answer_keys": [[key] for key in keys],
        "gold": [{"article": gold[0], "quote": gold[1]}] if gold else [],
        "unanswerable": unanswerable,
    }


QUESTIONS = [
    row("a001", "When did the ferry to Hallin stop?", "time", ["Monday"], ("ferry.md", "stopped on Monday")),
    row("a002", "Until when is the library of Tamsel closed?", "time", ["September"], ("library.md", "until September")),
    row("a003", "Who painted the ceiling of the opera in Vienna?", "unanswerable", unanswerable="off_topic"),
    row("b001", "How do I bake sourdough bread?", "unanswerable", unanswerable="off_topic"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def loaded_already(embedder, monkeypatch):
    monkeypatch.setattr("index.embedding.load_embedder", lambda _name: embedder)


@pytest.fixture(scope="module")
def question_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "articles").mkdir()
    for name, text in ARTICLES.items():
        (folder / "articles" / f"{name}.md").write_text(text)
    (folder / "questions.jsonl").write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    return folder


@pytest.fixture(scope="module")
def beir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beir")
    corpus = [{"_id": name, "title": "", "text": text.lstrip("# ")} for name, text in ARTICLES.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(document) + "\n" for document in corpus))
    queries = [{"_id": "q1", "text": "ferry to Hallin"}, {"_id": "q2", "text": "roof of the Tamsel library"}]
    (folder / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in queries))
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tferry\t1\nq2\tlibrary\t1\n")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """One data folder for all: the index of a set is made once."""
    return tmp_path_factory.mktemp("data")


def byline_eval(*words):
    return CliRunner().invoke(app, ["run", *map(str, words)])


def test_a_run_prints_a_table_and_writes_a_file(question_set, data, tmp_path):
    ran = byline_eval("--set", question_set, "--data", data, "--out", tmp_path / "run.json")
    assert ran.exit_code == 0, ran.output
    for words in ("all ", "held_out ", "time ", "off_topic ", "1.000 (2)", "exact words of their article: 1.0000"):
        assert words in ran.stdout
    run = json.loads((tmp_path / "run.json").read_text())
    made = run["circumstances"]
    assert made["set"] == question_set.name
    assert made["settings"]["chunk_tokens"] == 160
    assert made["generation"] == "000001"
    assert len(made["model_sha256"]) == 64
    assert len(made["set_sha256"]) == 64
    assert {"date", "byline_version", "git_revision", "python", "platform", "model", "split"} <= set(made)
    assert [result["id"] for result in run["results"]] == ["a001", "a002", "a003", "b001"]
    first = run["results"][0]
    assert (first["status"], first["keys"], first["recall"]) == ("answered", 1, 1)
    assert "stopped on Monday" in first["answer"]
    quotes = [citation["quote"] for citation in first["citations"]]
    assert "The ferry to Hallin stopped on Monday." in quotes
    assert first["total_ms"] > 0
    assert run["results"][3]["status"] == "abstained"
    assert run["figures"]["groups"]["off_topic"]["abstained"] == {"value": 1, "n": 2}
    assert run["figures"]["verbatim"]["value"] == 1


def test_one_half_as_json(question_set, data):
    ran = byline_eval("--set", question_set, "--data", data, "--split", "tune", "--json")
    assert ran.exit_code == 0, ran.output
    printed = json.loads(ran.stdout[ran.stdout.index("{") :])
    assert set(printed) == {"circumstances", "figures"}
    assert printed["circumstances"]["split"] == "tune"
    assert set(printed["figures"]["groups"]) == {"all", "tune", "time", "off_topic"}
    assert printed["figures"]["groups"]["all"]["abstained"]["n"] == 2


def test_the_index_is_made_once_and_again_for_other_chunks(question_set, tmp_path):
    def chunks(**settings):
        run = measure_answers(question_set, Settings(data=tmp_path, **settings), "tune")
        return run.made.generation, run.made.chunks

    assert chunks() == ("000001", 3)
    assert chunks() == ("000001", 3)
    assert len(list((tmp_path / "eval").iterdir())) == 1
    assert chunks(chunk_tokens=32, chunk_overlap_tokens=0)[0] == "000002"


def test_a_citation_that_is_not_verbatim_fails_the_run(question_set, data, monkeypatch):
    from eval import answers

    monkeypatch.setattr(answers, "_is_verbatim", lambda citation, texts: False)
    ran = byline_eval("--set", question_set, "--data", data)
    assert ran.exit_code == 1
    assert "not the exact words" in ran.stderr


def test_a_beir_folder_gives_retrieval_by_mode(beir, data, tmp_path, monkeypatch):
    asked = []
    search = Searcher.search

    def watched(self, query, **options):
        asked.append((options["mode"], options["top_k"]))
        return search(self, query, **options)

    monkeypatch.setattr(Searcher, "search", watched)
    ran = byline_eval("--set", beir, "--data", data, "--out", tmp_path / "run.json")
    assert ran.exit_code == 0, ran.output
    for words in ("nDCG@10", "hybrid", "dense", "lexical", "RRF (k=60)", "1.0000 (2)"):
        assert words in ran.stdout
    assert asked == [(mode, 100) for mode in ("hybrid", "dense", "lexical") for _query in range(2)]
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["figures"]["systems"]["hybrid"] == {"nDCG@10": 1, "R@10": 1, "RR@10": 1, "n": 2}
    assert len(run["results"]) == 4 * 2
    first = run["results"][0]
    assert (first["system"], first["query"], first["ranking"][0]) == ("hybrid", "q1", "ferry")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "no-such-set"], "neither 'shipped' nor a folder"),
        (["--out", "/no/such/folder/run.json"], "there is no folder /no/such/folder"),
        (["--split", "half"], "'half' is not one of"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_done(words, message):
    ran = byline_eval(*words)
    assert ran.exit_code == 2
    assert message in " ".join(ran.stderr.replace("│", " ").split())


def test_a_beir_folder_has_no_halves(beir):
    ran = byline_eval("--set", beir, "--split", "tune")
    assert ran.exit_code == 2
    assert "no halves" in ran.stderr
