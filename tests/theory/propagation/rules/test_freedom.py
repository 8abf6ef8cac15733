"""What norms take away, against draws."""

import numpy as np
import pytest

from fanin.theory.propagation.covariance import covariance, joined, split
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.rules.freedom import Statistic, with_moments

SIZE, ROWS = 5, 100_000
PLACES = Places((SIZE,), SIZE)
RANDOM = np.random.default_rng(2)


def _drawn(common, own):
    """Return normal values of two examples with something in common, (rows, samples, points)."""
    both, each = RANDOM.standard_normal((ROWS, 1, 1)), RANDOM.standard_normal((ROWS, 2, SIZE))
    return np.sqrt(common) * both + np.sqrt(own) * each


def _without(values, axes):
    return values - np.mean(values, axis=axes, keepdims=True)


@pytest.mark.parametrize("examples", [1, 2])
def test_what_is_taken_of_a_gradient(examples):
    over = Statistic(PLACES, examples)
    axes = (2,) if examples == 1 else (1, 2)
    y = _without(_drawn(0.4, 0.6), axes)
    y /= np.sqrt(np.mean(y**2, axis=axes, keepdims=True))
    g = _drawn(0.3, 0.7)
    centred = _without(g, axes)
    back = centred - y * np.mean(centred * y, axis=axes, keepdims=True)
    found, values, products = (covariance(each, PLACES) for each in (g, y, g * y))
    expected = covariance(back, PLACES)
    np.testing.assert_allclose(found - over.taken(found, products, values), expected, atol=0.02)


def test_other_second_moments_with_the_least_change():
    x = _drawn(0.4, 0.6)
    wanted = joined(2 * np.eye(SIZE), 0.1 * np.eye(SIZE))
    y = with_moments(x, PLACES, wanted)
    np.testing.assert_allclose(covariance(y, PLACES), wanted, atol=1e-9)
    np.testing.assert_allclose(with_moments(x, PLACES, covariance(x, PLACES)), x, atol=1e-9)


def test_a_mean_of_each_example_and_one_of_all():
    found = covariance(_drawn(0.4, 0.6), PLACES)
    same, apart = split(Statistic(PLACES).mean(found))
    assert same[0, 0] == pytest.approx(0.4 + 0.6 / SIZE, abs=0.01)
    assert apart[0, 0] == pytest.approx(0.4, abs=0.01)
    assert Statistic(PLACES, 2).mean(found)[0, 0, 0, 0] == pytest.approx(0.4 + 0.3 / SIZE, abs=0.01)
