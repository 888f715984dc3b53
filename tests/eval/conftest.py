"""What the tests of whole runs share: the model that is loaded, two small sets, and one folder for their indexes."""

import pytest
from tiny_sets import write_beir, write_question_set


@pytest.fixture
def model_loaded(embedder, reader, monkeypatch):
    """What runs a set takes the model that is loaded already."""
    for module in ("running", "sweep", "calibration"):
        monkeypatch.setattr(f"eval.{module}.load_embedder", lambda *_: embedder)
    monkeypatch.setattr("service.assembly.load_reader", lambda *_: reader)


@pytest.fixture(scope="session")
def question_set(tmp_path_factory):
    """The folder of a question set."""
    return write_question_set(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def beir(tmp_path_factory):
    """A BEIR folder."""
    return write_beir(tmp_path_factory.mktemp("beir"))


@pytest.fixture(scope="session")
def eval_data(tmp_path_factory):
    """One data folder for all: the index of a set is made once."""
    return tmp_path_factory.mktemp("eval-data")
