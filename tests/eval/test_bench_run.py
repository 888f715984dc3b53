"""`byline eval bench`, whole and small: its document has every part, and what it timed was the real thing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.cli import app

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.model, pytest.mark.server]


def bench(*words):
    return CliRunner().invoke(app, ["bench", *map(str, words)])


@pytest.fixture(scope="module")
def ran(tmp_path_factory, embedder):
    """One run of all parts: the document of its file, its result, and the folder that temporary ones went to."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "tmp").mkdir()
    words = ["--articles", 12, "--questions", 6, "--clients", "1,2", "--seconds", 0.5, "--cold-starts", 1]
    with pytest.MonkeyPatch.context() as patch:
        # Loading takes seconds, and nothing here is about speed.
        patch.setattr("eval.bench.bench.load_embedder", lambda *_: embedder)
        patch.setattr("eval.bench.searching.load_embedder", lambda *_: embedder)
        patch.setattr("tempfile.tempdir", str(folder / "tmp"))
        patch.setenv("BYLINE_DATA", str(folder / "mine"))
        done = bench(*words, "--json", "--out", folder / "run.json")
    assert done.exit_code == 0, done.output
    return json.loads((folder / "run.json").read_text()), done, folder


@pytest.fixture(scope="module")
def document(ran):
    return ran[0]


@pytest.fixture(scope="module")
def figures(document):
    return {(figure["part"], figure["what"]): figure for figure in document["figures"]}


def test_nothing_is_left_behind(ran):
    _, _, folder = ran
    left = [path.name for path in (folder / "tmp").iterdir()]
    assert [name for name in left if not name.startswith("torchinductor_")] == []  # torch's own, as everywhere
    assert not (folder / "mine").exists()


def test_standard_output_is_the_document_without_the_single_results(ran):
    document, done, _ = ran
    printed = json.loads(done.stdout[done.stdout.index("{") :])
    assert set(document) == {"circumstances", "figures", "results"}
    assert printed == {name: document[name] for name in ("circumstances", "figures")}
    assert "Starting a server ..." in done.stderr


def test_circumstances(document):
    made = document["circumstances"]
    assert made["parameters"] == {
        "articles": 12,
        "questions": 6,
        "clients": [1, 2],
        "seconds": 0.5,
        "cold_starts": 1,
        "seed": 7,
        "parts": ["embedding", "build", "search", "start", "http"],
        "reference": True,
        "load_clients": 1000,
        "load_seconds": 60.0,
    }
    assert {"cpu", "cores", "memory_bytes", "os", "python"} <= set(made["machine"])
    assert {"torch", "faiss-cpu", "sentence-transformers", "fastapi"} <= set(made["versions"])
    assert made["settings"]["chunk_tokens"] == 160
    assert "data" not in made["settings"]
    assert {"date", "git_revision", "byline_version", "environment", "load_before", "load_after"} <= set(made)


def test_every_figure_is_a_measurement(document):
    for figure in document["figures"]:
        assert figure["n"] >= 1
        assert figure["value"] > 0, figure
        if figure["n"] > 1 and figure["smallest"] is not None:
            assert figure["smallest"] <= figure["value"] <= figure["p95"] <= figure["largest"]
        assert (figure["ratio"] is None) == (figure["floor"] is None)
    assert {figure["part"] for figure in document["figures"]} == {"embedding", "build", "search", "start", "http"}


def test_embedding_was_of_all_texts_of_the_index(document):
    results = document["results"]
    blocks = results["embedding"]["blocks"]
    assert sum(block["texts"] for block in blocks["chunks"]) == results["build"]["chunks"]
    assert sum(block["texts"] for block in blocks["sentences"]) == results["build"]["sentences"]
    assert results["build"]["chunks"] == results["build"]["build"]["report"]["chunks_embedded"]


def test_builds_did_what_they_are_named_for(document, figures):
    results = document["results"]["build"]
    assert results["build"]["report"]["articles_added"] == 12
    added = results["rebuild_added"]["report"]
    assert (added["articles_added"], added["chunks_reused"]) == (10, results["chunks"])
    assert results["rebuild_idle"]["report"]["built"] is False
    build = figures["build", "whole build, CPU"]
    both = figures["build", "whole build, CPU, by chunks and sentences"]
    assert build["value"] == both["value"]
    assert build["ratio"] > both["ratio"] > 0
    assert 0 < figures["build", "share of sentence vectors in its CPU"]["value"] < 100


def test_what_was_searched_for_was_found(document, figures):
    results = document["results"]["search"]
    assert results["questions"] == 6
    assert results["article_found"] == 6
    assert results["answered"] >= 5
    assert results["key_said"] >= 3
    assert len({row["question"] for row in results["rows"]}) == 6
    whole, searched = figures["search", "whole answer"], figures["search", "search (hybrid)"]
    assert (whole["n"], searched["n"]) == (6, 6)
    assert whole["ratio_of_pairs"] > 0


def test_a_server_answered_every_level(document, figures):
    levels = document["results"]["http"]["levels"]
    assert [(level["endpoint"], level["clients"]) for level in levels] == [
        ("/v1/search", 1),
        ("/v1/search", 2),
        ("/v1/chat", 1),
        ("/v1/chat", 2),
    ]
    for level in levels:
        assert level["outcomes"]["200"] >= 1
        assert level["errors"] == {}
        assert not level["ran_out_of_questions"]
        assert level["seconds"] >= 0.5
        assert len(level["latencies_ms"]) == level["outcomes"]["200"]
    rate = figures["http", "/v1/chat, 2 clients"]
    assert rate["ratio"] == pytest.approx(rate["value"] * document["results"]["http"]["floor_seconds"])


def test_starts_come_in_order(document):
    seconds = document["results"]["start"]["seconds"]
    assert {len(found) for found in seconds.values()} == {1}
    assert seconds["livez"][0] <= seconds["readyz"][0] <= seconds["answer"][0]
    assert seconds["help"][0] < seconds["ask"][0]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_is_reported(figures):
    start = figures["http", "server's memory after the start"]["value"]
    assert 50 < start <= figures["http", "server's memory at its peak"]["value"]
    assert figures["build", "whole build, peak memory"]["value"] > 50


def test_interrupted_it_stops_its_processes_and_removes_its_files(tmp_path):
    """SIGTERM while a child is at work: no child is left, nor its data."""
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "eval", "bench", "--articles", "50", "--only", "build"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("byline-bench-*/data/library.sqlite")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 130
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(ProcessLookupError):  # its group is empty
            os.killpg(process.pid, 0)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--clients", "1,x"], "'1,x' is no list of numbers"),
        (["--clients", "0"], "not from 1 to 256"),
        (
            ["--only", "build,speed"],
            "there is no part 'speed'; the parts are embedding, build, search, start, http, load",
        ),
        (["--articles", "0"], "should be greater than or equal to 1"),
        (["--out", "/no/such/folder/run.json"], "there is no folder /no/such/folder"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_done(words, message):
    refused = bench(*words)
    assert refused.exit_code == 2
    assert message in " ".join(refused.stderr.replace("│", " ").split())
