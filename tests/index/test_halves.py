import numpy as np
import pytest

from index.halves import cosines


def test_every_half_float_is_read_as_the_number_it_is():
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves), np.newaxis]
    read = cosines(halves, np.arange(len(halves)), np.ones(1, dtype=np.float32))
    assert np.array_equal(read, halves[:, 0].astype(np.float32))


@pytest.mark.parametrize("count", [0, 1, 169, 170, 171, 1000])
def test_rows_in_any_order_have_the_cosines_of_their_vectors(count):
    """More rows than are turned at once, and one more or less than a full turn."""
    chance = np.random.default_rng(count)
    vectors = chance.normal(size=(300, 384)).astype(np.float32)
    halves = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    query = halves[7].astype(np.float32)
    rows = chance.integers(0, 300, size=count)
    found = cosines(halves, rows, query)
    assert found.dtype == np.float32
    assert found == pytest.approx(halves.astype(np.float32)[rows] @ query, abs=1e-6)
