"""Second moments between places."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.theory.propagation.covariance import (
    alike,
    between,
    covariance,
    from_blocks,
    joined,
    mean_place,
    moved,
    normal,
    over_positions,
    second_moment,
    split,
    to_blocks,
)
from fanin.theory.propagation.draws import Normals
from fanin.theory.propagation.places import Places

PLACES = st.builds(Places, st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple), st.integers(2, 3))


def _values(places, seed=0, rows=50):
    random = np.random.default_rng(seed)
    common = random.normal(size=(rows, 1, 1))
    return common + random.normal(size=(rows, 2, len(places))) * np.arange(1, len(places) + 1)


@given(PLACES)
def test_symmetry(places):
    found = covariance(_values(places), places)
    size = 2 * len(places)
    assert np.allclose(found.reshape(size, size), found.reshape(size, size).T)
    # Examples are alike.
    assert np.array_equal(found[0, :, 0], found[1, :, 1])
    assert np.array_equal(found[0, :, 1], found[1, :, 0])


@given(PLACES)
def test_points_of_a_block_are_alike(places):
    same, apart = split(covariance(_values(places), places))
    for matrix in (same, apart):
        for block in range(len(places.sizes)):
            inside = np.flatnonzero(places.owner == block)
            assert np.ptp(np.diag(matrix)[inside]) < 1e-9
        again = from_blocks(*to_blocks(matrix, places), places)
        assert np.allclose(again, matrix)


@given(PLACES)
def test_alike_keeps_what_is_alike(places):
    found = covariance(_values(places), places)
    assert np.allclose(alike(found, places), found)


def test_values_that_are_the_same_everywhere():
    places = Places((4,))
    found = covariance(np.full((7, 1, 1), 2.0), places)
    assert np.all(found == 4.0)


@settings(deadline=None, max_examples=12)
@given(PLACES, st.integers(0, 5))
def test_populations_have_what_is_asked(places, seed):
    wanted = covariance(_values(places, seed), places)
    drawn = normal(Normals(1 << 13, seed), wanted)
    found = covariance(drawn, places)
    assert np.max(np.abs(found - wanted)) < 0.03 * np.max(np.abs(wanted))


@pytest.mark.parametrize("seed", range(3))
def test_functions_of_one_place_have_exact_moments(seed):
    """However places go together."""
    wanted = joined(np.where(np.eye(3) > 0, 2.0, 0.7), np.full((3, 3), 0.3))
    drawn = normal(Normals(1 << 12, seed), wanted)
    assert np.allclose(np.mean(drawn > 0, axis=0), 0.5)
    assert np.allclose(np.mean(drawn**2, axis=0), 2.0)
    assert np.allclose(np.mean(np.exp(0.5 * drawn), axis=0), np.exp(0.25), rtol=1e-3)


def test_populations_of_what_is_no_covariance():
    """What rounding made negative counts as 0."""
    wanted = joined(np.array([[1.0]]), np.array([[1.0 + 1e-9]]))
    drawn = normal(Normals(1 << 12, 0), wanted)
    assert np.all(np.isfinite(drawn))
    assert drawn[:, 0] == pytest.approx(drawn[:, 1], abs=1e-3)


@given(PLACES, st.integers(2, 5))
def test_other_points_of_the_same_blocks(places, points):
    found = covariance(_values(places), places)
    target = Places(places.sizes, points)
    there = moved(found, places, target)
    assert second_moment(there, target) == pytest.approx(second_moment(found, places))
    assert between(there, target) == pytest.approx(between(found, places))


def test_sums_over_positions():
    """Against the sum itself, of all positions."""
    places = Places((2, 1), 2)
    values = _values(places, rows=2000)
    values[:, :, 1] = values[:, :, 0][::-1]  # alike
    truth = np.mean(np.sum(values, axis=2) ** 2)
    found = over_positions(covariance(values, places), places)
    assert second_moment(found, Places()) == pytest.approx(truth, rel=0.05)


def test_mean_over_places():
    places = Places((1, 3), 2)
    same = np.diag([2.0, 6.0, 6.0])
    found = mean_place(joined(same, same / 2), places)
    assert second_moment(found, Places()) == pytest.approx((2 + 3 * 6) / 4)
    assert between(found, Places()) == pytest.approx((2 + 3 * 6) / 8)
