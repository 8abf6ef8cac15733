"""Gradients as sums of factors times populations."""

import numpy as np
import pytest

from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import covariance, joined, normal
from fanin.theory.propagation.draws import Normals
from fanin.theory.propagation.places import Places

PLACES = Places((3,), 2)
ROWS = 1 << 13


def _inner(q=1.0, position=0.3, example=0.2, both=0.1):
    eye = np.eye(2)
    return joined(
        q * np.where(eye > 0, 1.0, position),
        q * np.where(eye > 0, example, both),
    )


def _slope(seed):
    return np.random.default_rng(seed).normal(size=(ROWS, 2, 2)) + 0.5


def _drawn(cotangent, seed=0):
    """Return the gradient itself, each population drawn once."""
    normals = Normals(ROWS, seed)
    populations = {part.population: normal(normals, part.inner) for part in cotangent.parts}
    return np.sum([part.slope * populations[part.population] for part in cotangent.parts], axis=0)


def test_normal():
    inner = _inner(2.0)
    assert np.allclose(Cotangent.normal(inner).covariance(PLACES), inner)


def test_times():
    slope = _slope(1)
    found = Cotangent.normal(_inner()).times(slope).times(3.0)
    truth = covariance(_drawn(found), PLACES)
    assert np.max(np.abs(found.covariance(PLACES) - truth)) < 0.05 * np.max(truth)
    assert found.covariance(PLACES)[0, 0, 0, 0] == pytest.approx(9 * np.mean(slope**2), rel=0.02)


def test_sum_of_independent_gradients():
    one, other = Cotangent.normal(_inner(1.0)).times(_slope(1)), Cotangent.normal(_inner(2.0))
    found = (one + other).covariance(PLACES)
    assert np.allclose(found, one.covariance(PLACES) + other.covariance(PLACES))


def test_sum_of_what_one_gradient_gives_on_two_ways():
    g = Cotangent.normal(_inner())
    a, b = _slope(1), _slope(2)
    found = g.times(a) + g.times(b)
    assert len(found.parts) == 1
    assert np.allclose(found.covariance(PLACES), g.times(a + b).covariance(PLACES))
    assert (g + g.times(-1.0)).covariance(PLACES) == pytest.approx(0.0)


def test_sum_after_another_was_added():
    """What is added in between does not hide that two parts are of one population."""
    g, other = Cotangent.normal(_inner()), Cotangent.normal(_inner(3.0))
    found = (g + other + g).covariance(PLACES)
    assert np.allclose(found, 4 * _inner() + _inner(3.0))
    settled = (g + other + g).settled()
    assert len(settled.parts) == 1
    assert np.allclose(settled.covariance(PLACES), found)


def test_a_part_of_its_own():
    """Parts that are made anew are independent, though their second moments are one array."""
    inner = _inner()
    one, other = Part(np.ones((1, 1, 1)), inner), Part(np.ones((1, 1, 1)), inner)
    found = Cotangent((one,)) + Cotangent((other,))
    assert np.allclose(found.covariance(PLACES), 2 * inner)


@pytest.mark.parametrize("examples", [2, 8])
def test_spread(examples):
    """Against populations: the relative variance over channels of the mean of g^2 over all places."""
    places, random = Places((3,), 3), np.random.default_rng(0)
    eye = np.eye(3)
    inner = joined(np.where(eye > 0, 1.0, 0.3), np.full((3, 3), 0.1))
    # Slopes of a channel are the same at all places, so that the variance does not vanish with their number.
    slope = np.abs(random.normal(size=(ROWS, 1, 1))) + 0.2
    found = Cotangent((Part(slope, inner),)).spread(places, examples)
    size = examples * 3
    same = np.kron(np.eye(examples), np.where(eye > 0, 1.0, 0.3))
    apart = np.kron(1 - np.eye(examples), np.full((3, 3), 0.1))
    root = np.linalg.cholesky(same + apart)
    few = slope[:64, 0]
    means = np.mean((few * (random.normal(size=(4000, 64, size)) @ root.T)) ** 2, axis=2)
    truth = np.mean(means**2) / np.mean(means) ** 2 - 1
    assert found == pytest.approx(truth, rel=0.05)


def test_growth():
    drift = np.random.default_rng(0).normal(size=64) * 0.1
    found = Cotangent.normal(_inner(), drift=drift)
    assert found.growth == pytest.approx(np.mean(np.exp(drift)), rel=0.01)
    assert Cotangent.normal(_inner()).growth == 1.0


def test_chance_is_weighed_by_size():
    small = Cotangent.normal(_inner(1.0), np.full((2, 64), 1.0))
    large = Cotangent.normal(_inner(3.0), np.full((2, 64), 2.0))
    assert np.allclose((small + large).chance, 1.75)


@pytest.mark.parametrize("kind", ["plain", "normal", "mask"])
def test_spread_of_sums(kind):
    """Against populations: the relative variance over channels of (sum_j s_j g_j)^2 over all places."""
    places, examples, random = Places((3,), 3), 2, np.random.default_rng(0)
    eye = np.eye(3)
    inner = joined(np.where(eye > 0, 1.0, 0.5), np.full((3, 3), 0.4))
    drawn = random.normal(size=(1 << 18, 2, 3))
    slopes = {"plain": np.ones((1, 1, 1)), "normal": drawn, "mask": (drawn > 0).astype(float)}[kind]
    found = Cotangent((Part(slopes, inner),)).spread_of_sums(places, examples)
    root = np.linalg.cholesky(np.block([[inner[0, :, 0], inner[0, :, 1]], [inner[1, :, 0], inner[1, :, 1]]]))
    g = (random.normal(size=(1 << 18, 6)) @ root.T).reshape(-1, 2, 3)
    sums = np.sum(slopes * g, axis=(1, 2)) ** 2
    truth = np.var(sums) / np.mean(sums) ** 2
    assert found == pytest.approx(truth, rel=0.05)


def test_spread_of_the_smallest_gradients():
    small, plain = Cotangent.normal(_inner() * 1e-200), Cotangent.normal(_inner())
    assert small.spread(PLACES, 2) == pytest.approx(plain.spread(PLACES, 2))
