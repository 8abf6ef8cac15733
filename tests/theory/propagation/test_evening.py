"""Products of populations that know nothing of each other."""

import numpy as np
import pytest

from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import joined
from fanin.theory.propagation.evening import evened, product
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.rules.steps import as_part

ROWS = 64


def _drawn(seed):
    return np.random.default_rng(seed).normal(size=(ROWS, 2, 3))


def test_second_moments_are_those_of_independent_values():
    one, other = _drawn(0), 2 * _drawn(1)
    found = product(one, other)
    assert np.mean(found**2, axis=0) == pytest.approx(np.mean(one**2, axis=0) * np.mean(other**2, axis=0))
    ratio = found / (one * other)
    assert np.ptp(ratio, axis=0) == pytest.approx(0, abs=1e-12)
    assert np.max(np.abs(ratio - 1)) > 0.01


def test_what_is_the_same_everywhere_multiplies():
    one = _drawn(0)
    assert np.array_equal(product(one, np.full((1, 1, 1), 3.0)), 3 * one)


def test_zeros_stay():
    assert np.all(product(_drawn(0), np.zeros((ROWS, 2, 3))) == 0)


def test_gradients():
    slope, factor = _drawn(2), _drawn(3) > 0.5
    places = Places((3,), 3)
    inner = joined(np.eye(3), np.zeros((3, 3)))
    found = Cotangent((Part(slope, inner),)).times(factor, independent=True).covariance(places)
    wanted = np.mean(np.mean(slope**2, axis=0) * np.mean(factor, axis=0))
    assert np.mean(np.diag(found[0, :, 0])) == pytest.approx(wanted)


def test_what_was_drawn_knows_nothing_of_factors():
    """Neither of one nor of their product, which go together."""
    drawn = _drawn(5)
    gradient = Cotangent((as_part(drawn),))
    first = np.maximum(_drawn(6), 0)
    for factors in ([first], [first, first + 0.1]):
        found = gradient
        for factor in factors:
            found = found.times(factor)
        (part,) = found.parts
        wanted = np.mean(drawn**2, axis=0) * np.mean(np.prod(factors, axis=0) ** 2, axis=0)
        assert np.mean(part.slope**2, axis=0) == pytest.approx(wanted)
    # Of a sum nothing is known.
    (both,) = (found + gradient.times(2.0)).parts
    assert both.drawn is None
    assert both.slope == pytest.approx(part.slope + 2 * drawn)


def test_some_rows_with_the_second_moment_of_all():
    whole = _drawn(4)
    some = whole[:7] * evened(whole[:7], whole)
    assert np.mean(some**2) == pytest.approx(np.mean(whole**2))
    assert evened(whole[:1], whole) == 1.0
    assert evened(np.zeros((3, 1, 1)), whole) == 1.0
