"""The largest of n normal numbers: closed forms, published numbers, simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin import FaninError
from fanin.theory.orderstats import maximum_moments, maximum_nodes

ROOT = math.sqrt(math.pi)


@pytest.mark.parametrize(
    ("count", "mean", "second"),
    [
        (1, 0.0, 1.0),
        (2, 1 / ROOT, 1.0),
        (3, 1.5 / ROOT, 1 + math.sqrt(3) / (2 * math.pi)),
        (4, 1.0293753730, 1.5513288954),
        (9, 1.4850131622, 2.5626174183),
    ],
)
def test_known_numbers(count, mean, second):
    assert maximum_moments(count) == pytest.approx((mean, second), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("count", [5, 64, 3000])
def test_monte_carlo(count):
    largest = np.random.default_rng(count).standard_normal((60_000_000 // count // 20, count)).max(axis=1)
    found = maximum_moments(count)
    for drawn, expected in ((largest, found.mean), (largest**2, found.second)):
        assert abs(drawn.mean() - expected) < 4 * drawn.std() / math.sqrt(len(drawn))


def test_a_relu_before_the_pool():
    drawn = np.maximum(np.random.default_rng(0).standard_normal((200_000, 4)), 0).max(axis=1) ** 2
    x, weights = maximum_nodes(4)
    expected = np.sum(weights * np.maximum(x, 0) ** 2)
    assert abs(drawn.mean() - expected) < 4 * drawn.std() / math.sqrt(len(drawn))


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 10**7), kink=st.floats(-11, 11))
def test_weights_are_a_law_and_kinks_are_met(count, kink):
    x, weights = maximum_nodes(count, kinks=(kink,))
    assert np.sum(weights) == pytest.approx(1, rel=1e-11)
    above = np.sum(weights * (x > kink))  # P(max > kink)
    tail = math.erfc(kink / math.sqrt(2)) / 2
    expected = -math.expm1(count * math.log1p(-tail)) if tail < 1 else 1.0
    assert above == pytest.approx(expected, abs=1e-11)


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 10**5))
def test_more_numbers_have_a_larger_maximum(count):
    assert maximum_moments(count + 1).mean > maximum_moments(count).mean


@pytest.mark.parametrize("count", [0, -3, math.inf, math.nan])
def test_no_numbers(count):
    with pytest.raises(FaninError, match="to take the largest of"):
        maximum_moments(count)
