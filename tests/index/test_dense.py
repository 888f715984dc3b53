from dataclasses import replace

import numpy as np
import pytest

from index.dense import DenseIndex, choose_kind, measured_recall, write_dense


def unit_rows(n, dimension, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def made(vectors, path, **options):
    """Write vectors in pieces and open what was written."""
    halves = vectors.astype(np.float16)
    pieces = iter([halves[:7], halves[7:7], halves[7:]])
    rows, dimension = vectors.shape
    queries = options.pop("queries", vectors[::50])
    record = write_dense(pieces, path, rows=rows, dimension=dimension, queries=queries, **options)
    return DenseIndex.open(path, record), record


@pytest.fixture(scope="module")
def vectors():
    return unit_rows(500, 16)


@pytest.fixture(params=["flat", "ivf"])
def index(request, vectors, tmp_path):
    index, record = made(vectors, tmp_path / "vectors.faiss", exact_rows=500 if request.param == "flat" else 499)
    assert record.kind == request.param
    return index


def test_it_finds_what_an_exhaustive_search_finds(index, vectors):
    for query in unit_rows(20, 16, seed=1):
        exact = np.argsort(-(vectors @ query))[:10]
        rows, cosines = index.search(query, 10)
        assert len(set(rows) & set(exact)) >= 9
        assert np.allclose(cosines, vectors[rows] @ query, atol=2e-3)
        assert list(cosines) == sorted(cosines, reverse=True)


def test_only_allowed_rows_are_found(index, vectors):
    allowed = np.arange(500) % 7 == 3
    rows, _ = index.search(vectors[0], 10, allowed=allowed)
    assert len(rows) == 10
    assert all(row % 7 == 3 for row in rows)


@pytest.mark.parametrize("left_out", ["the nearest", "the farthest", "every third"])
def test_what_most_rows_may_be_found_among_is_found_exactly(vectors, tmp_path, left_out):
    index, _ = made(vectors, tmp_path / "vectors.faiss", exact_rows=500)
    for query in unit_rows(5, 16, seed=2):
        order, _ = index.search(query, 500)
        allowed = np.ones(500, dtype=bool)
        allowed[{"the nearest": order[:200], "the farthest": order[300:], "every third": order[::3]}[left_out]] = False
        expected = [row for row in order if allowed[row]]
        for k in (1, 10, 200, 500):
            assert index.search(query, k, allowed=allowed)[0].tolist() == expected[:k]


def test_cosines_are_those_of_the_stored_vectors(index, vectors):
    rows = np.array([4, 499, 0, 4])
    assert index.cosines(rows, vectors[0]) == pytest.approx(index.vectors(rows) @ vectors[0], abs=1e-6)
    assert index.cosines(rows[:0], vectors[0]).tolist() == []


def test_asking_for_more_than_there_is_gives_what_there_is(index, vectors):
    rows, _ = index.search(vectors[0], 10_000)
    assert sorted(rows) == list(range(500))
    few = np.zeros(500, dtype=bool)
    few[[4, 9]] = True
    assert sorted(index.search(vectors[0], 5, allowed=few)[0]) == [4, 9]
    assert len(index.search(vectors[0], 5, allowed=np.zeros(500, dtype=bool))[0]) == 0


def test_equal_vectors_are_ranked_by_row(tmp_path):
    index, _ = made(np.repeat(unit_rows(1, 8), 6, axis=0), tmp_path / "v")
    assert index.search(unit_rows(1, 8)[0], 4)[0].tolist() == [0, 1, 2, 3]


def test_stored_vectors_come_back_as_half_floats(index, vectors):
    rows = np.array([3, 499], dtype=np.int64)
    assert np.array_equal(index.vectors(rows), vectors[rows].astype(np.float16).astype(np.float32))


def test_an_empty_index_opens_and_finds_nothing(tmp_path):
    index, record = made(np.empty((0, 8), dtype=np.float32), tmp_path / "v")
    assert (len(index), record.recall) == (0, 1.0)
    assert len(index.search(unit_rows(1, 8)[0], 3)[0]) == 0


def test_the_kind_follows_from_the_size_and_says_why():
    assert (choose_kind(200_000).kind, choose_kind(200_001).kind) == ("flat", "ivf")
    assert "at most 200000" in choose_kind(200_000).why
    assert choose_kind(10_001, exact_rows=10_000).lists == 256


def test_taking_over_keeps_every_bit_of_a_vector(index, vectors):
    assert np.array_equal(index.halves(0, 500), vectors.astype(np.float16))
    assert np.array_equal(index.halves(13, 99), vectors[13:99].astype(np.float16))


def test_recall_is_what_an_exhaustive_search_says(tmp_path):
    """Vectors without neighbourhoods, of which few lists are looked at, are found in part."""
    vectors, queries = unit_rows(4000, 32), unit_rows(40, 32, seed=2)
    _, record = made(vectors, tmp_path / "v", exact_rows=100, queries=queries)
    assert (record.kind, record.lists) == ("ivf", 102)
    assert 0.98 <= record.recall <= 1
    narrow = DenseIndex.open(tmp_path / "v", replace(record, probes=2))
    nearest = [set(np.argsort(-(vectors.astype(np.float16).astype(np.float32) @ query))[:10]) for query in queries]
    share = np.mean([len(set(narrow.search(q, 10)[0]) & rows) / 10 for q, rows in zip(queries, nearest, strict=True)])
    assert 0 < share < 0.5
    assert measured_recall(narrow, queries) == pytest.approx(share, abs=1e-3)


def test_few_allowed_rows_are_found_wherever_they_lie(tmp_path):
    vectors = unit_rows(4000, 32)
    index, _ = made(vectors, tmp_path / "v", exact_rows=100, queries=unit_rows(40, 32, seed=2))
    allowed = np.zeros(4000, dtype=bool)
    allowed[[5, 1700, 3999]] = True
    assert sorted(index.search(vectors[0], 10, allowed=allowed)[0]) == [5, 1700, 3999]


def test_an_index_made_like_another_learns_nothing_and_finds_the_same(tmp_path, monkeypatch):
    vectors = unit_rows(1200, 16)
    first, _ = made(vectors[:1100], tmp_path / "first", exact_rows=100)
    monkeypatch.setattr("faiss.Kmeans", lambda *_, **__: pytest.fail("the centres were learned again"))
    second, record = made(vectors, tmp_path / "second", exact_rows=100, like=first)
    assert np.array_equal(second.halves(0, 1200), vectors.astype(np.float16))
    assert record.recall >= 0.98
