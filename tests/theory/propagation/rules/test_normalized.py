"""Normalized values of few places, against closed forms and against draws."""

import numpy as np
import pytest

from fanin.theory.propagation.covariance import joined, split
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.rules.normalized import normalized


@pytest.mark.parametrize("number", [6, 12, 40])
def test_independent_places(number):
    """1 / v is N over a chi-squared value: E[1 / v] = N / (N - 2)."""
    places = Places((number,))
    independent = joined(np.eye(2), np.zeros((2, 2)))
    inner, inverse = normalized([(independent, 1)], places, 1, 0.0)
    assert inverse == pytest.approx(number / (number - 2), rel=1e-4)
    np.testing.assert_allclose(split(inner)[0], np.eye(2), atol=1e-6)


def test_two_examples_each_with_its_own_variance():
    places, shared = Places((8,), 8), 0.5
    same = 0.6 * np.eye(8) + 0.4
    found = joined(same, shared * same)
    inner, inverse = normalized([(found, 3)], places, 1, 0.1)
    drawn = np.random.default_rng(0).multivariate_normal(np.zeros(8), same, (3, 2, 200_000))
    other = shared * drawn[:, 0] + np.sqrt(1 - shared**2) * drawn[:, 1]
    scales = [np.mean(x**2, axis=(0, 2)) + 0.1 for x in (drawn[:, 0], other)]
    one, two = (x / np.sqrt(scale)[:, None] for x, scale in zip((drawn[:, 0], other), scales, strict=True))
    within, between = (np.mean(one[0, :, 0] * y[0, :, place]) for y, place in ((one, 1), (two, 0)))
    assert inverse == pytest.approx(np.mean(1 / scales[0]), rel=0.01)
    assert split(inner)[0][0, 1] == pytest.approx(within, abs=0.006)
    assert split(inner)[1][0, 0] == pytest.approx(between, abs=0.015)
