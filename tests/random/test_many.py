import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.errors import FaninError
from fanin.random.many import Single, Tile, tiles
from fanin.random.philox import WORD

KEYS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5)
BOUNDS = [(-np.inf, np.inf), (-2.0, 2.0), (-1.0, 3.0), (1.0, np.inf), (45.0, 46.0)]


def filled(keys, count, start, fill, dtype):
    out = np.empty((len(keys), count), dtype)
    for place, tile in tiles(keys, count, start):
        fill(tile, out[place])
    return out


def one_by_one(keys, count, start, fill, dtype):
    out = np.empty((len(keys), count), dtype)
    for row, key in zip(out, keys, strict=True):
        fill(Single(key, start), row)
    return out


@settings(deadline=None)
@given(
    KEYS,
    st.integers(0, 300),
    st.integers(0, 2**64 - 301),
    st.sampled_from(BOUNDS),
    st.sampled_from([np.float32, np.float64]),
)
def test_many_sequences_have_the_bits_of_each(keys, count, start, bounds, dtype):
    for fill in (
        lambda values, out: values.normal(out, 0.1, 0.3, *bounds),
        lambda values, out: values.uniform(out, -0.3, 1.0),
    ):
        together = filled(keys, count, start, fill, dtype)
        np.testing.assert_array_equal(together, one_by_one(keys, count, start, fill, dtype))


@pytest.mark.parametrize("count", [1, 5000, 32_768, 70_001])
def test_sequences_of_any_length_are_covered_once(count):
    keys = list(range(7))
    seen = np.zeros((len(keys), count), int)
    for place, _ in tiles(keys, count):
        seen[place] += 1
    assert (seen == 1).all()


def test_values_far_in_a_tail_take_their_second_words():
    """Of 2^18 values some hundred lie where a second word counts."""
    keys, count = [3, 4], 1 << 17

    def normal(values, out):
        values.normal(out, 0.0, 1.0)

    together = filled(keys, count, 3, normal, np.float64)
    np.testing.assert_array_equal(together, one_by_one(keys, count, 3, normal, np.float64))
    tile = Tile(np.array(keys, np.uint64), 3, count)
    assert 50 < np.count_nonzero(tile._second) < 400
    assert tile._first.max() < WORD


def test_laws_that_share_a_tile_do_not_mix():
    tile = Tile(np.array([5, 6], np.uint64), 0, 100)
    out, again = np.empty((2, 100)), np.empty((2, 100))
    tile.normal(out, 0.0, 1.0, -2.0, 2.0)
    tile.normal(again, 0.0, 1.0)
    tile.normal(again, 0.0, 1.0, -2.0, 2.0)
    np.testing.assert_array_equal(out, again)


def test_no_values_and_no_keys():
    assert list(tiles([], 5)) == []
    assert list(tiles([1, 2], 0)) == []


def test_what_does_not_exist_is_refused():
    with pytest.raises(FaninError, match="no normal distribution"):
        Tile(np.array([5], np.uint64), 0, 1).normal(np.empty((1, 1)), 0.0, -1.0)
