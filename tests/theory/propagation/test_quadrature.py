"""Second moments of functions of normal numbers, against closed forms and against SciPy's quadrature."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.theory.propagation.functions import function
from fanin.theory.propagation.quadrature import second_moments
from fanin.theory.propagation.root import Normal
from theory.propagation.integrals import mean_square

SIZES = st.floats(0.01, 20.0)
MEANS = st.floats(-3.0, 3.0)


def _at(mean, deviation):
    return Normal(np.array([mean]), np.array([deviation]))


@given(MEANS, SIZES, st.floats(-2.0, 2.0))
def test_squares(mean, size, shift):
    """E[(x + c)^2] and E[1]."""
    found = second_moments(lambda x: x + shift, _at(mean, size))
    assert found.value[0] == pytest.approx((mean + shift) ** 2 + size**2, rel=1e-11)
    assert found.slope[0] == pytest.approx(1.0, rel=1e-10)


@given(MEANS, st.floats(0.01, 2.0))
def test_exponentials(mean, size):
    found = second_moments(np.exp, _at(mean, size))
    for each in found:
        assert each[0] == pytest.approx(math.exp(2 * mean + 2 * size**2), rel=1e-10)


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "mish", "hardtanh"]
)
@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.7, 0.05), (-1.0, 3.0), (0.2, 15.0)])
def test_activations(name, mean, deviation):
    applied = function(name)
    found = second_moments(applied.value, _at(mean, deviation))
    kinks = (-1.0, 0.0, 1.0)
    assert found.value[0] == pytest.approx(mean_square(applied.value, mean, deviation, kinks), rel=1e-10)

    def slope(x):
        return applied.slopes(x, applied.value(x))[0]

    assert found.slope[0] == pytest.approx(mean_square(slope, mean, deviation, kinks), rel=1e-10)


def test_many_places():
    """Each place has its own distribution; those of a narrow one are not lost among wide ones."""
    sizes = np.geomspace(1e-4, 30, 9).reshape(3, 3)
    found = second_moments(np.abs, Normal(np.zeros((3, 3)), sizes))
    assert found.value == pytest.approx(sizes**2, rel=1e-12)
    assert found.slope == pytest.approx(np.ones((3, 3)), rel=1e-12)


@pytest.mark.parametrize(
    "value", [np.log, np.reciprocal, lambda x: np.exp(x * x / 3), lambda x: np.sin(1e5 * x)], ids=range(4)
)
def test_what_cannot_be_followed(value):
    assert second_moments(value, _at(0.0, 1.0)) is None


def test_jumps_have_no_slope():
    found = second_moments(np.sign, _at(0.5, 1.0))
    assert found.value[0] == pytest.approx(1.0, rel=1e-12)
    assert found.slope[0] == pytest.approx(0.0, abs=1e-12)
