"""`byline eval bench index`, whole and small, with the stand-in model: its document says what was really done."""

import io
import json
from contextlib import redirect_stdout

import numpy as np
import pytest
from typer.testing import CliRunner

from eval.bench.indexing.articles import BATCH, embedded_texts, later_batch, library_rows, long_row, stored
from eval.bench.indexing.stand_in import make_stand_in
from eval.bench.measure import folder_bytes, memory_bytes, timed
from eval.bench.processes import Finished
from eval.bench.report import BenchRun, circumstances_line
from eval.cli import app
from index.embedding import EmbedderSettings, load_embedder
from index.model_files import SHIPPED_MODEL, check_model
from service.settings import Settings

ARTICLES = 12
PARTS = ["build", "idle", "add", "remove", "readers"]
LOADS = [
    (2, "nothing"),
    (2, "whole builds"),
    (2, "small builds"),
    (1, "nothing"),
    (1, "whole builds"),
    (1, "small builds"),
]


def bench(*words):
    return CliRunner().invoke(app, ["bench", "index", *map(str, words)])


def run_here(command, _environment):
    """Run `python -P -c CODE ARGUMENT…` in this process."""
    _, _, _, code, *arguments = command
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.setattr("sys.argv", ["-c", *arguments])
        cost = timed(lambda: exec(code, {}))
    return Finished(cost, memory_bytes("self", "VmHWM"), said.getvalue())


@pytest.fixture(scope="module")
def ran(tmp_path_factory, embedder):
    """One run of all parts: the document of its file, its result, and the folder that temporary ones went to."""
    folder = tmp_path_factory.mktemp("bench-index")
    (folder / "tmp").mkdir()
    words = ["--articles", ARTICLES, "--rounds", 1, "--clients", 2, "--seconds", 0.3, "--build-seconds", 0.5]
    with pytest.MonkeyPatch.context() as patch:
        # Only its tokenizer is used, and the stand-in has the same.
        patch.setattr("eval.bench.indexing.run.load_embedder", lambda *_: embedder)
        # A bare process takes seconds to start, and nothing here is about speed: what it would run is run here.
        patch.setattr("eval.bench.indexing.floor.run_process", run_here)
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("OMP_WAIT_POLICY", "PASSIVE")
        patch.setattr("tempfile.tempdir", str(folder / "tmp"))
        patch.setenv("BYLINE_DATA", str(folder / "mine"))
        done = bench(*words, "--stand-in-model", "--out", folder / "run.json")
    assert done.exit_code == 0, done.output
    return json.loads((folder / "run.json").read_text()), done, folder


@pytest.fixture(scope="module")
def document(ran):
    return ran[0]


@pytest.fixture(scope="module")
def results(document):
    return {part: document["results"][f"{ARTICLES} {part}"] for part in PARTS}


@pytest.fixture(scope="module")
def figures(document):
    return {(figure["part"].split()[1], figure["what"]): figure for figure in document["figures"]}


@pytest.mark.model
@pytest.mark.server
class TestRun:
    """Every test looks at the same run."""

    def test_nothing_is_left_behind(self, ran):
        _, _, folder = ran
        left = [path.name for path in (folder / "tmp").iterdir()]
        assert [name for name in left if not name.startswith("torchinductor_")] == []  # torch's own, as everywhere
        assert not (folder / "mine").exists()

    def test_whoever_reads_the_table_sees_that_a_stand_in_was_used(self, ran):
        document, done, _ = ran
        said = " ".join(done.stdout.split())
        assert "A stand-in took the place of the embedding model" in said
        assert "are not the product's" in said
        assert "settings: embedding_model stand-in" in said
        assert document["circumstances"]["settings"]["embedding_model"].startswith("stand-in")
        assert "tmp" not in json.dumps(document["circumstances"]["settings"])

    def test_circumstances(self, document):
        made = document["circumstances"]
        assert made["parameters"] == {
            "articles": [ARTICLES],
            "long": 2,
            "rounds": 1,
            "clients": 2,
            "seconds": 0.3,
            "build_seconds": 0.5,
            "seed": 7,
            "model": None,
            "stand_in_layers": 0,
            "parts": PARTS,
        }
        assert {"machine", "versions", "git_revision", "load_before", "load_after"} <= set(made)

    def test_every_figure_is_a_measurement(self, document):
        assert {figure["part"] for figure in document["figures"]} == {f"{ARTICLES} {part}" for part in PARTS}
        for figure in document["figures"]:
            assert figure["n"] >= 1
            # A difference can be anything, and nobody has to find a removed article any more at once.
            if "beyond" not in figure["what"] and figure["unit"] != "articles":
                assert figure["value"] > 0, figure
            assert (figure["ratio"] is None) == (figure["floor"] is None)
            assert figure["ratio"] is None or figure["ratio"] > 0

    def test_the_first_build_was_of_all_articles(self, results, figures):
        report = results["build"]["build"]["report"]
        assert (report["articles"], report["articles_added"]) == (ARTICLES, ARTICLES)
        assert 3 <= figures["build", "chunks of an article"]["value"] <= 6
        # The sample is the whole library here: the floor embeds the very texts.
        assert results["build"]["floor"]["chunks"] == report["chunks_embedded"]
        assert results["build"]["data_bytes"] > results["build"]["index_bytes"] > 0

    def test_nothing_to_do_was_nothing(self, results):
        assert [build["report"]["built"] for build in results["idle"]["builds"]] == [False]

    def test_ten_more_were_embedded_alone_and_by_the_floor_alike(self, results, figures):
        (one,) = results["add"]["rounds"]
        assert one["build"]["report"]["articles_added"] == BATCH
        assert one["build"]["report"]["chunks_embedded"] == one["chunks"]
        assert one["floor_wall_seconds"] > one["floor_encoding_seconds"] > 0
        wall = figures["add", "10 more by byline build"]["value"]
        assert figures["add", "10 more by byline build, beyond embedding"]["value"] == pytest.approx(
            wall - one["floor_wall_seconds"]
        )
        assert figures["add", "10 more by byline build, share of a whole build"]["value"] == pytest.approx(
            100 * wall / results["build"]["build"]["wall_seconds"]
        )

    def test_a_server_took_ten_more_in(self, results):
        (one,) = results["add"]["served"]
        assert one["build"]["state"] == "succeeded"
        assert one["build"]["result"]["articles_added"] == BATCH
        assert one["found_seconds"] > 0

    def test_ten_were_removed_and_a_rollback_was_served(self, results):
        removed = results["remove"]
        assert removed["build"]["report"]["articles_removed"] == BATCH
        assert 0 <= removed["gone_at_once"] <= BATCH
        assert len(removed["answered_seconds"]) == BATCH
        back, forth = removed["rollbacks"]
        assert back["generation"] < forth["generation"] == removed["build"]["report"]["generation"]

    def test_readers_were_answered_beside_builds(self, results):
        loads = results["readers"]["loads"]
        assert [(load["clients"], load["beside"]) for load in loads] == LOADS
        for load in loads:
            assert load["errors"] == {}
            assert load["outcomes"]["200"] == len(load["latencies_ms"]) == sum(load["generations"].values()) >= 1
            assert not load["ran_out_of_questions"]
            assert bool(load["builds"]) == (load["beside"] != "nothing")
            assert set(load["builds"]) <= {"succeeded", "cancelled"}

    def test_a_ratio_is_to_the_same_load_with_nothing_built(self, figures):
        alone = figures["readers", "2 clients, nothing built, p95"]
        beside = figures["readers", "2 clients, whole builds, p95"]
        assert alone["ratio"] is None
        assert beside["ratio"] == pytest.approx(beside["value"] / alone["value"])


@pytest.mark.model
@pytest.mark.parametrize("layers", [0, 1])
def test_the_stand_in_is_a_model_as_byline_wants_it(tmp_path, embedder, layers):
    folder = make_stand_in(tmp_path / "one", layers)
    again = make_stand_in(tmp_path / "two", layers)

    def load(model):
        return load_embedder(EmbedderSettings(str(model), tmp_path / "models"))

    found = load(folder)
    assert found.model_sha256 == check_model(str(again)).model_sha256 != embedder.model_sha256
    assert (found.dimension, found.max_tokens) == (embedder.dimension, embedder.max_tokens)
    assert folder_bytes(folder) < folder_bytes(check_model(SHIPPED_MODEL).folder)
    texts = ["The bridge opens on Monday.", "A library closes for repairs.", "The bridge opens on Monday."]
    assert found.count_tokens(texts) == embedder.count_tokens(texts)
    vectors = found.encode(texts)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors[0] == pytest.approx(vectors[2], abs=1e-6)
    assert vectors[0] @ vectors[1] < 0.99
    assert load(again).encode(texts) == pytest.approx(vectors, abs=0)


@pytest.mark.parametrize("layers", [-1, 2])
def test_a_stand_in_of_other_depth_is_refused(tmp_path, layers):
    with pytest.raises(ValueError, match="expected 0 to 1"):
        make_stand_in(tmp_path / "model", layers)


def test_a_long_article_is_several_under_one_address():
    short, long = long_row(7, 3, 1), long_row(7, 3, 4)
    assert {name: short[name] for name in ("title", "url")} == {name: long[name] for name in ("title", "url")}
    assert long["text"].startswith(short["text"])
    assert 3 * len(short["text"]) < len(long["text"]) + len(short["text"])
    # What is stored is all of it: the cleaner finds nothing to take away.
    assert sum(map(len, stored(long).text.split())) > 0.98 * sum(map(len, long["text"].split()))
    assert long_row(7, 3, 4) == long


def test_articles_that_come_later_are_others_and_each_has_a_word_of_its_own():
    later = [one for batch in range(3) for one in later_batch(7, batch, 2)]
    rows = [*library_rows(7, 30, 2), *(one.row for one in later)]
    assert len({row["url"] for row in rows}) == len({one.id for one in later}) + 30 == 60
    for one in later:
        assert [row["url"] for row in rows if one.word in row["text"].lower()] == [one.row["url"]]
        assert one.word in stored(one.row).text


@pytest.mark.model
def test_what_the_floor_embeds_is_the_articles_words(embedder):
    rows = list(library_rows(7, 3, 2))
    chunks, sentences = embedded_texts(rows, embedder, Settings())
    texts = [stored(row).text for row in rows]
    assert all(any(chunk.split("\n", 1)[1] in text for text in texts) for chunk in chunks)
    assert all(any(sentence in text for text in texts) for sentence in sentences)
    assert max(embedder.count_tokens(chunks)) <= embedder.max_tokens


def test_files_of_two_names_are_on_disk_once(tmp_path):
    (tmp_path / "one").write_bytes(b"12345")
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert folder_bytes(tmp_path) == 5


def test_a_line_says_what_was_changed_in_the_settings():
    settings = Settings(chunk_tokens=200).model_dump(mode="json", exclude={"data", "prepared_models", "llm_api_key"})
    made = {
        "date": "2026-01-02T03:04:05+00:00",
        "byline_version": "0.1.0",
        "git_revision": "0123456789abcdef",
        "versions": {"torch": "2.13.0", "faiss-cpu": "1.15.1"},
        "settings": settings,
        "load_before": 0.1,
        "load_after": 1.5,
    }
    said = circumstances_line(BenchRun(made, {}))
    assert "revision 0123456789ab, torch 2.13.0, faiss-cpu 1.15.1, settings: chunk_tokens 200; load 0.1 before" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--articles", "1000,x"], "'1000,x' is no list of numbers; expected such as 1000,10000"),
        (["--articles", "100001"], "not from 1 to 100000"),
        (["--only", "build,http"], "there is no part 'http'; the parts are build, idle, add, remove, readers"),
        (["--model", "x", "--stand-in-model"], "--model and --stand-in-model exclude each other"),
        (["--model", "/no/such/model"], "the embedding model '/no/such/model' has no"),
        (["--stand-in-model", "--stand-in-layers", "2"], "should be less than or equal to 1"),
        (["--long", "0"], "should be greater than or equal to 1"),
        (["--out", "/no/such/folder/run.json"], "there is no folder /no/such/folder"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_done(words, message):
    refused = bench(*words)
    assert refused.exit_code == 2
    assert message in " ".join(refused.stderr.replace("│", " ").split())
