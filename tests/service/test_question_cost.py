"""What a question may cost, counted in work: texts that the embedding model reads, objects left over. Not seconds."""

import gc
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from index.searcher import Searcher
from service.answering.parts import parts_of
from service.api.app import build_app
from service.assembly import open_assistant

pytestmark = pytest.mark.model

COST = "How much did the Alder Bridge cost?"
SEVERAL = "How much did the Alder Bridge cost, and when does the library of Tamsel close, and why does it close?"


class Counting:
    """The model of the tests, which writes down what it is asked to embed."""

    def __init__(self, embedder):
        self._embedder = embedder
        self.calls = []

    def encode(self, texts, *, on_batch=None):
        self.calls.append(list(texts))
        return self._embedder.encode(texts, on_batch=on_batch)

    def __getattr__(self, name):
        return getattr(self._embedder, name)


@pytest.fixture
def counting(embedder):
    return Counting(embedder)


@pytest.fixture
def client(parts, counting):
    live, assistant = open_assistant(parts.settings, parts.catalog, counting, parts.library.removed)
    return TestClient(build_app(replace(parts, live=live, assistant=assistant)), base_url="http://localhost")


def chat(client, message, **fields):
    response = client.post("/v1/chat", json={"message": message, "history": [], **fields})
    assert response.status_code == 200, response.text
    return response


def test_a_question_of_one_part_is_embedded_once_and_nothing_else_is(client, counting):
    assert chat(client, COST).json()["status"] == "answered"
    assert counting.calls == [[COST]]


@pytest.mark.parametrize("fields", [{"stream": True}, {"max_citations": 1}, {"as_of": "2025-06-01"}])
def test_however_it_is_asked(client, counting, fields):
    chat(client, COST, **fields)
    assert counting.calls == [[COST]]


def test_what_leans_on_the_turns_before_is_embedded_as_it_is_meant(client, counting):
    turns = [{"role": "user", "content": COST}, {"role": "assistant", "content": "It cost 40 million euros."}]
    meant = chat(client, "And when did it open?", history=turns).json()["question"]
    assert counting.calls == [[meant]]


def test_a_search_embeds_its_query_once(client, counting):
    assert client.post("/v1/search", json={"query": COST}).json()["hits"]
    assert counting.calls == [[COST]]


def test_the_parts_of_a_question_are_embedded_with_it_in_one_call_each_text_once(client, counting):
    asked = [SEVERAL, *(part.search for part in parts_of(SEVERAL))]
    assert len(asked) == 4
    reply = chat(client, SEVERAL).json()
    assert [sorted(texts) for texts in counting.calls] == [sorted(asked)]
    assert "40 million euros" in reply["answer"]
    assert "until September" in reply["answer"]


def test_a_text_that_two_parts_share_is_embedded_once(client, counting):
    chat(client, "Who opened the Alder Bridge, and who opened the Alder Bridge?")
    assert len(counting.calls) == 1
    assert len(counting.calls[0]) == len(set(counting.calls[0]))


def test_a_search_that_is_given_the_vector_asks_for_none_and_finds_the_same(parts, counting):
    searcher = Searcher(parts.live.searcher().generation, counting)
    (vector,) = counting.encode([COST])
    found = searcher.search(COST, vector=vector)
    assert counting.calls == [[COST]]
    assert found.hits == searcher.search(COST).hits


@pytest.mark.parametrize("question", [COST, SEVERAL, "What is the capital of Mongolia?"])
def test_a_question_leaves_nothing_for_which_garbage_must_be_looked(parts, question):
    """A look holds up everybody: what a question makes must go as soon as it has been answered."""
    parts.assistant.ask(question)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            parts.assistant.ask(question)
        assert gc.collect() == 0
    finally:
        gc.enable()
