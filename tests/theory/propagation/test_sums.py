"""Sums over all places, against whole matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.theory.propagation.covariance import joined
from fanin.theory.propagation.places import Places, pair_counts
from fanin.theory.propagation.sums import Spectrum, concentration, traces


def _second_moments(random, places):
    """Return a matrix between points that is the same for like pairs of places, and the whole one."""
    blocks = len(places.sizes)
    root = random.normal(size=(blocks, blocks))
    level = random.normal(size=(blocks, 1))
    apart, own = root @ root.T + level @ level.T, random.random(blocks)
    across = level @ level.T
    owner, every = places.owner, np.repeat(np.arange(blocks), places.sizes)

    def laid(matrix, owners, diagonal):
        found = matrix[np.ix_(owners, owners)].copy()
        return found + np.diag(diagonal[owners])

    points = joined(laid(apart, owner, own), laid(across, owner, 0 * own))
    same, other = laid(apart, every, own), laid(across, every, 0 * own)
    return points, lambda examples: np.block(
        [[same if row == column else other for column in range(examples)] for row in range(examples)]
    )


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 4), st.integers(0, 99))
def test_traces(sizes, examples, seed):
    random = np.random.default_rng(seed)
    places = Places(tuple(sizes), 2)
    (one, whole), (other, wholes) = (_second_moments(random, places) for _ in range(2))
    trace, squares = traces(one, other, places, examples)
    product = whole(examples) @ wholes(examples)
    assert trace == pytest.approx(np.trace(product))
    assert squares == pytest.approx(np.trace(product @ product))
    assert trace == pytest.approx(np.sum(pair_counts(places, examples) * one * other))


def test_all_places_alike():
    places = Places((7,), 2)
    alike = np.ones((2, 2, 2, 2))
    assert concentration(alike, alike, places, 5) == pytest.approx(1.0)
    assert concentration(0 * alike, alike, places, 5) == 0.0


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 4), st.integers(0, 99))
def test_spectrum(sizes, examples, seed):
    places = Places(tuple(sizes), 2)
    points, whole = _second_moments(np.random.default_rng(seed), places)
    found = Spectrum.of(points, places, examples)
    values, vectors = np.linalg.eigh(whole(examples))
    assert np.sort(np.repeat(found.values, found.often.astype(int))) == pytest.approx(values, abs=1e-9)
    changed = (vectors * np.tanh(values)) @ vectors.T
    mine = found.changed(np.tanh(found.values))
    first = np.cumsum([0, *places.sizes[:-1]])
    every = np.concatenate(
        [np.arange(start, start + n) for start, n in zip(first, places.counts, strict=True)]
    )
    assert mine[0, :, 0] == pytest.approx(changed[np.ix_(every, every)], abs=1e-9)
    if examples > 1:
        assert mine[0, :, 1] == pytest.approx(changed[np.ix_(every, every + places.total)], abs=1e-9)
