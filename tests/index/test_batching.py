"""Questions of several threads in one batch."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from index import batching
from index.batching import BatchingEmbedder
from index.runtimes import REFERENCE


class Slow:
    """An embedder whose first batch is held up, so that others come meanwhile; it notes every batch."""

    name, model_sha256, dimension, max_tokens, engine = "slow", "0f" * 32, 4, 254, REFERENCE

    def __init__(self):
        self.batches = []
        self.go = threading.Event()
        self.begun = threading.Event()
        self.error = None

    def encode(self, texts, *, on_batch=None):
        self.batches.append(list(texts))
        self.begun.set()
        assert self.go.wait(20)
        if self.error is not None:
            raise self.error
        return np.array([[len(text), *text.encode()[-3:]] for text in texts], dtype=np.float32)

    def count_tokens(self, texts):
        return [len(text.split()) for text in texts]


@pytest.fixture
def slow():
    return Slow()


@pytest.fixture
def together(slow):
    return BatchingEmbedder(slow)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(40) as pool:
        yield pool


def in_line(together, count):
    """Wait until so many threads stand in line."""
    for _ in range(4000):
        if len(together._waiting) == count:
            return
        threading.Event().wait(0.005)
    raise AssertionError(f"{len(together._waiting)} wait, not {count}")


def test_who_comes_while_a_batch_is_computed_makes_up_the_next(slow, together, pool):
    first = pool.submit(together.encode, ["text 000"])
    assert slow.begun.wait(20)
    rest = [pool.submit(together.encode, [f"text {n:03}"]) for n in range(1, 33)]
    in_line(together, 32)
    slow.go.set()
    for number, done in enumerate([first, *rest]):
        assert done.result(20).tolist() == [[8, *f"{number:03}".encode()]]
    assert [len(batch) for batch in slow.batches] == [1, 32]


def test_a_batch_has_its_limit_and_nobody_is_left_behind(slow, together, pool, monkeypatch):
    monkeypatch.setattr(batching, "TEXTS_AT_ONCE", 5)
    first = pool.submit(together.encode, ["text 000"])
    assert slow.begun.wait(20)
    rest = [pool.submit(together.encode, [f"text {n}{m:02}" for m in range(2)]) for n in range(1, 8)]
    in_line(together, 7)
    slow.go.set()
    assert first.result(20).shape == (1, 4)
    assert [done.result(20)[1, -1] for done in rest] == [ord("1")] * 7
    assert [len(batch) for batch in slow.batches] == [1, 4, 4, 4, 2]


def test_a_text_is_embedded_once_whoever_asks_for_it(slow, together):
    slow.go.set()
    vectors = together.encode(["one", "two", "one"])
    assert np.array_equal(vectors[0], vectors[2])
    assert np.array_equal(together.encode(["two"])[0], vectors[1])
    assert slow.batches == [["one", "two"]]


def test_what_was_given_cannot_spoil_what_is_remembered(slow, together):
    slow.go.set()
    together.encode(["one"])[:] = 0
    assert together.encode(["one"]).tolist() == [[3, *b"one"]]


def test_the_oldest_is_forgotten(slow, together, monkeypatch):
    monkeypatch.setattr(batching, "REMEMBERED", 2)
    slow.go.set()
    for text in ("one", "two", "one", "six", "one", "two"):
        together.encode([text])
    assert slow.batches == [["one"], ["two"], ["six"], ["two"]]


def test_an_error_reaches_everyone_who_waits_and_the_next_are_answered(slow, together, pool):
    slow.error = RuntimeError("no more memory")
    first = pool.submit(together.encode, ["one"])
    assert slow.begun.wait(20)
    rest = [pool.submit(together.encode, [text]) for text in ("two", "six")]
    in_line(together, 2)
    slow.go.set()
    for done in (first, *rest):
        with pytest.raises(RuntimeError, match="no more memory"):
            done.result(20)
    slow.error = None
    assert together.encode(["two"]).shape == (1, 4)


def test_no_texts_give_no_rows(slow, together):
    assert together.encode([]).shape == (0, 4)
    assert slow.batches == []


@pytest.mark.model
def test_it_is_an_embedder_like_the_one_inside(embedder):
    together, texts, sizes = BatchingEmbedder(embedder), ["The ferry leaves at nine.", "Rain."], []
    assert np.array_equal(together.encode(texts, on_batch=sizes.append), embedder.encode(texts))
    assert sizes == [sum(map(len, texts))]
    assert together.count_tokens(texts) == embedder.count_tokens(texts)
    for name in ("name", "model_sha256", "engine", "dimension", "max_tokens"):
        assert getattr(together, name) == getattr(embedder, name)
