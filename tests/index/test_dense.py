import numpy as np
import pytest

from index.dense import DenseIndex, write_dense


def unit_rows(n, dimension, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(n, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def vectors():
    return unit_rows(500, 16)


@pytest.fixture
def index(vectors, tmp_path):
    write_dense(vectors, tmp_path / "vectors.faiss")
    return DenseIndex.open(tmp_path / "vectors.faiss")


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


def test_asking_for_more_than_there_is_gives_what_there_is(index, vectors):
    rows, _ = index.search(vectors[0], 10_000)
    assert sorted(rows) == list(range(500))
    few = np.zeros(500, dtype=bool)
    few[[4, 9]] = True
    assert sorted(index.search(vectors[0], 5, allowed=few)[0]) == [4, 9]
    assert len(index.search(vectors[0], 5, allowed=np.zeros(500, dtype=bool))[0]) == 0


def test_equal_vectors_are_ranked_by_row(tmp_path):
    write_dense(np.repeat(unit_rows(1, 8), 6, axis=0), tmp_path / "v")
    assert DenseIndex.open(tmp_path / "v").search(unit_rows(1, 8)[0], 4)[0].tolist() == [0, 1, 2, 3]


def test_stored_vectors_come_back_as_half_floats(index, vectors):
    rows = np.array([3, 499], dtype=np.int64)
    assert np.array_equal(index.vectors(rows), vectors[rows].astype(np.float16).astype(np.float32))


def test_an_empty_index_opens_and_finds_nothing(tmp_path):
    write_dense(np.empty((0, 8), dtype=np.float32), tmp_path / "v")
    index = DenseIndex.open(tmp_path / "v")
    assert len(index) == 0
    assert len(index.search(unit_rows(1, 8)[0], 3)[0]) == 0
