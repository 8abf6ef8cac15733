"""Moments of a softmax over random logits: exact for two, limits, published numbers, simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin import FaninError
from fanin.theory.softmax import softmax_moments

Z = np.linspace(-12, 12, 20_001)
NORMAL = (Z[1] - Z[0]) * np.exp(-(Z**2) / 2) / math.sqrt(2 * math.pi)


@pytest.mark.parametrize(
    ("positions", "variance", "share"),
    [(64, 1, 0.03880), (64, 4, 0.1607), (64, 9, 0.3263), (1024, 9, 0.1349)],
)
def test_known_numbers(positions, variance, share):
    assert f"{softmax_moments(positions, variance).sum_squares:.4g}" == f"{share:.4g}"


@settings(max_examples=60, deadline=None)
@given(variance=st.floats(0, 100))
def test_two_logits_are_a_sigmoid_of_their_difference(variance):
    first = 1 / (1 + np.exp(-math.sqrt(2 * variance) * Z))
    found = softmax_moments(2, variance)
    assert found.sum_squares == pytest.approx(np.sum(NORMAL * (first**2 + (1 - first) ** 2)), rel=1e-11)
    assert found.backward == pytest.approx(np.sum(NORMAL * 4 * (first * (1 - first)) ** 2), rel=1e-11)


@settings(max_examples=60, deadline=None)
@given(positions=st.integers(1, 10**6))
def test_equal_logits(positions):
    found = softmax_moments(positions, 0.0)
    assert found.sum_squares == pytest.approx(1 / positions, rel=1e-12)
    assert found.backward == pytest.approx(1 / positions - 1 / positions**2, rel=1e-12, abs=1e-15)


@settings(max_examples=60, deadline=None)
@given(positions=st.integers(2, 10**6), variance=st.floats(0, 99))
def test_bounds_and_order(positions, variance):
    found, wider = softmax_moments(positions, variance), softmax_moments(positions, variance + 1)
    assert 1 / positions <= found.sum_squares * (1 + 1e-12)
    assert found.sum_squares < wider.sum_squares < 1
    assert 0 < found.backward < found.sum_squares
    assert softmax_moments(positions + 1, variance).sum_squares < found.sum_squares


@pytest.mark.parametrize("positions", [2, 50, 10**6])
def test_nothing_changes_where_the_way_of_summing_does(positions):
    below, above = softmax_moments(positions, 0.25 * (1 - 1e-14)), softmax_moments(positions, 0.25)
    assert below == pytest.approx(above, rel=1e-11)


@pytest.mark.parametrize(("positions", "variance"), [(10**5, 0.04), (10**6, 1.0)])
def test_many_even_logits_follow_the_law_of_large_numbers(positions, variance):
    # sum W^2 / (sum W)^2 expanded about its means, to first order in 1 / T
    share = math.exp(variance) / positions
    assert softmax_moments(positions, variance).sum_squares == pytest.approx(
        share, rel=20 * math.exp(4 * variance) / positions
    )


@pytest.mark.parametrize(
    ("positions", "variance"),
    [(3, 0.1), (3, 100), (7, 2), (64, 9), (64, 60), (1000, 0.3), (1000, 25), (10_000, 100)],
)
def test_monte_carlo(positions, variance):
    rows = min(100_000, 4_000_000 // positions)
    logits = np.random.default_rng(positions).normal(0, math.sqrt(variance), (rows, positions))
    a = np.exp(logits - logits.max(axis=1, keepdims=True))
    a /= a.sum(axis=1, keepdims=True)
    squares, cubes = np.sum(a**2, axis=1), np.sum(a**3, axis=1)
    found = softmax_moments(positions, variance)
    for drawn, expected in ((squares, found.sum_squares), (squares - 2 * cubes + squares**2, found.backward)):
        assert abs(drawn.mean() - expected) < 4 * drawn.std() / math.sqrt(rows)


def test_backward_is_the_squared_jacobian():
    a = np.random.default_rng(1).dirichlet(np.ones(5))
    jacobian = np.diag(a) - np.outer(a, a)
    squares = np.sum(a**2)
    assert np.sum(jacobian**2) == pytest.approx(squares - 2 * np.sum(a**3) + squares**2)


@pytest.mark.parametrize(("positions", "variance"), [(0, 1.0), (math.nan, 1.0), (4, -1.0), (4, math.inf)])
def test_what_is_no_softmax(positions, variance):
    with pytest.raises(FaninError):
        softmax_moments(positions, variance)
