"""Which engine computes embeddings, and why: by installed packages, settings, agreement and the index that there is."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from index.agreement import agreement, known_agreement
from index.embedding import choose_engine, engine_difference, load_embedder
from index.exporting import MODEL_FILE, RECORD_FILE, check_texts, open_export
from index.model_files import ModelRefused, check_model
from index.runtimes import FASTEST_FIRST, REFERENCE, Engine, missing

BF16, OPENVINO, ONNX = FASTEST_FIRST[:3]
HERE = [engine for engine in FASTEST_FIRST if missing(engine) is None]

needs_two = pytest.mark.skipif(len(HERE) < 2, reason="only torch is installed")


@pytest.fixture
def files(wanted_embedder):
    return check_model(wanted_embedder.model)


@pytest.fixture
def lacking(monkeypatch):
    """A function that makes this machine lack runtimes."""

    def lack(*names):
        real = missing
        monkeypatch.setattr("index.embedding.missing", lambda e: "gone" if e.runtime in names else real(e))

    return lack


@pytest.mark.model
class TestChoice:
    @needs_two
    def test_the_fastest_is_taken_and_says_why(self, files, wanted_embedder):
        chosen = choose_engine(files, wanted_embedder)
        assert chosen.engine == HERE[0]
        assert chosen.why == "it is the fastest here that agrees with the reference"
        assert chosen.agreement.overlap >= 0.99
        assert chosen.agreement.lowest_cosine > 0.999

    def test_without_other_runtimes_it_is_torch_and_says_what_is_missing(self, files, wanted_embedder, lacking):
        lacking("openvino", "onnxruntime")
        chosen = choose_engine(files, wanted_embedder)
        assert (chosen.engine, chosen.export, chosen.agreement) == (REFERENCE, None, None)
        assert [passed.split(":")[0] for passed in chosen.passed_over] == [str(e) for e in FASTEST_FIRST[:3]]

    @pytest.mark.parametrize("made_with", HERE)
    def test_an_index_is_asked_by_what_made_it(self, files, wanted_embedder, made_with):
        chosen = choose_engine(files, wanted_embedder, made_with)
        assert (chosen.engine, chosen.why) == (made_with, "the index was made with it")

    def test_an_index_by_what_is_not_here_is_asked_by_the_fastest(self, files, wanted_embedder):
        chosen = choose_engine(files, wanted_embedder, Engine("abacus", "fp32"))
        assert chosen.engine == HERE[0]
        assert "there is no abacus fp32" in chosen.passed_over[0]

    @pytest.mark.parametrize("engine", HERE)
    def test_the_settings_decide(self, files, wanted_embedder, engine):
        wanted = replace(wanted_embedder, runtime=engine.runtime, precision=engine.precision)
        for made_with in (None, *HERE):
            assert choose_engine(files, wanted, made_with).engine == engine

    def test_what_the_settings_name_and_is_not_here_is_refused(self, files, wanted_embedder, lacking):
        lacking("openvino")
        with pytest.raises(ModelRefused, match=r"cannot be run by embedding_runtime 'openvino'.*openvino fp32: gone"):
            choose_engine(files, replace(wanted_embedder, runtime="openvino"))

    def test_a_combination_that_does_not_exist_is_refused(self, files, wanted_embedder):
        with pytest.raises(ModelRefused, match="there is no such combination"):
            choose_engine(files, replace(wanted_embedder, runtime="onnxruntime", precision="bf16"))

    @needs_two
    def test_one_that_finds_something_else_is_passed_over(self, files, wanted_embedder, tmp_path, monkeypatch):
        """A runtime that computes wrongly: here it puts every text's second half first."""
        from index.encoder import ExportedEmbedder

        right = ExportedEmbedder.encode
        monkeypatch.setattr(
            ExportedEmbedder,
            "encode",
            lambda self, texts, **more: right(self, [t[len(t) // 2 :] for t in texts], **more),
        )
        monkeypatch.setattr("index.embedding.known_agreement", lambda *_: None)
        monkeypatch.setattr("index.agreement._file", lambda _, engine: tmp_path / f"{engine}.json")
        chosen = choose_engine(files, wanted_embedder)
        assert chosen.engine == REFERENCE
        assert "of what the reference finds, wanted are 99%" in chosen.passed_over[0]

    def test_a_folder_that_cannot_be_written_leaves_torch_and_says_so(self, files, wanted_embedder, monkeypatch):
        def refuse(*_):
            raise PermissionError(13, "Permission denied", "/models/lock")

        monkeypatch.setattr("index.embedding.open_export", refuse)
        chosen = choose_engine(files, wanted_embedder)
        assert chosen.engine == REFERENCE
        assert all("Permission denied: '/models/lock'" in reason for reason in chosen.passed_over)
        assert len(chosen.passed_over) == len(FASTEST_FIRST) - 1

    def test_a_choice_is_remembered_with_its_figures(self, files, wanted_embedder):
        chosen = choose_engine(files, wanted_embedder)
        if chosen.export is not None:
            assert known_agreement(chosen.export, chosen.engine) == chosen.agreement


def test_an_index_is_embedded_anew_only_where_what_made_it_may_or_can_not_compute_any_more(wanted_embedder, lacking):
    assert engine_difference(REFERENCE, wanted_embedder) is None
    other = engine_difference(REFERENCE, replace(wanted_embedder, runtime="openvino"))
    assert other == "embeddings are now computed by openvino, the index has torch fp32"
    assert "by bf16, the index has openvino fp32" in engine_difference(
        OPENVINO, replace(wanted_embedder, precision="bf16")
    )
    lacking("openvino")
    assert "openvino fp32, which cannot be had here: gone" in engine_difference(OPENVINO, wanted_embedder)


class TestAgreement:
    def test_the_same_vectors_agree(self):
        vectors = unit(np.random.default_rng(1).normal(size=(60, 16)))
        assert agreement(vectors, vectors, 20) == (1.0, pytest.approx(1))

    def test_the_share_of_the_ten_nearest_is_counted(self):
        """One question, 20 passages at rising angles; the other engine swaps the nearest two with the farthest two."""
        angles = np.linspace(0.1, 1.5, 20)
        vectors = np.array([[1, 0], *np.column_stack([np.cos(angles), np.sin(angles)])], dtype=np.float32)
        other = vectors.copy()
        other[[1, 2, 19, 20]] = vectors[[19, 20, 1, 2]]
        overlap, lowest = agreement(vectors, other, 1)
        assert overlap == pytest.approx(0.8)
        assert lowest == pytest.approx(np.cos(1.4), abs=1e-3) or lowest < 0.3

    def test_passages_that_are_alike_to_the_reference_may_change_places(self):
        vectors = np.tile(np.array([[1, 0]], dtype=np.float32), (31, 1))
        other = vectors + np.random.default_rng(2).normal(scale=1e-7, size=vectors.shape).astype(np.float32)
        assert agreement(vectors, other, 1)[0] == 1.0


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.model
@needs_two
class TestExport:
    def test_a_damaged_export_is_made_again(self, files, wanted_embedder, tmp_path):
        found = open_export(tmp_path, files)
        model = found.folder / MODEL_FILE
        right = model.read_bytes()
        model.write_bytes(right[:5_000_000] + bytes([right[5_000_000] ^ 1]) + right[5_000_001:])
        assert open_export(tmp_path, files) == found
        assert len(model.read_bytes()) == len(right)
        record = json.loads((found.folder / RECORD_FILE).read_text())
        assert record["model"] == files.model_sha256
        assert record["description"]["dimension"] == 384
        assert not list(tmp_path.glob("*.tmp"))

    def test_what_cannot_be_exported_is_run_by_torch_and_not_tried_again(self, files, tmp_path, monkeypatch):
        wanted = wanted_without_export(tmp_path)
        tries = []
        real = subprocess.run
        monkeypatch.setattr("index.exporting.subprocess.run", lambda *a, **k: tries.append(a) or real(*a, **k))
        broken = replace(files, folder=tmp_path)  # no model in it
        for _ in range(2):
            chosen = choose_engine(broken, wanted)
            assert chosen.engine == REFERENCE
            assert "cannot be exported for other runtimes than torch" in chosen.passed_over[0]
        assert len(tries) == 1


def test_a_full_disk_is_not_held_against_a_model(files, tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], os.EX_IOERR, "", "[Errno 28] No space left on device")
    monkeypatch.setattr("index.exporting.subprocess.run", lambda *_, **__: failed)
    with pytest.raises(ModelRefused, match="No space left on device"):
        open_export(tmp_path, files)
    monkeypatch.undo()
    assert not list(tmp_path.glob("*.refused.json"))
    assert not list(tmp_path.glob("*.tmp"))


def wanted_without_export(folder):
    from index.embedding import EmbedderSettings

    return EmbedderSettings("broken", folder / "models")


@pytest.mark.model
@needs_two
def test_neither_torch_nor_the_network_is_needed_once_a_model_is_exported(wanted_embedder, files):
    """In a process of its own: what is imported at the first use is part of it."""
    load_embedder(wanted_embedder)
    code = """
import socket, sys
from pathlib import Path

def refuse(*_):
    raise AssertionError("the network was asked")

socket.getaddrinfo = socket.socket.connect = socket.socket.connect_ex = socket.create_connection = refuse
from index.embedding import EmbedderSettings, load_embedder
embedder = load_embedder(EmbedderSettings(sys.argv[1], Path(sys.argv[2])))
assert embedder.encode(["hello world"]).shape == (1, 384)
unwanted = {"torch", "transformers", "sentence_transformers", "openvino_telemetry", "openvino.tools.ovc"}
print(sorted(name for name in unwanted if sys.modules.get(name) is not None))
"""
    command = [sys.executable, "-P", "-c", code, wanted_embedder.model, str(wanted_embedder.prepared)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_the_check_texts_are_many_and_all_different():
    questions, passages = check_texts()
    assert len(questions) >= 100
    assert len(passages) >= 200
    assert len({*questions, *passages}) == len(questions) + len(passages)
