"""Moments against closed forms, Monte Carlo and scaling laws; what is infinite or unknown is called so."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from fanin import FaninError, gain
from fanin.frameworks.activations import as_activation
from fanin.theory.moments import moments
from fanin.theory.panels import resolve


def found(function):
    activation = as_activation(function)
    return moments(activation, resolve(activation))


def near(value, error=1e-10):
    return pytest.approx(value, rel=error, abs=error)


@settings(max_examples=25, deadline=None)
@given(slope=st.floats(-3, 3))
def test_leaky_relu_of_any_slope(slope):
    leaky = found(lambda x: np.where(x > 0, x, slope * x))
    assert leaky.second == near((1 + slope**2) / 2)  # He et al. 2015
    assert leaky.derivative_second == near(leaky.second)
    assert leaky.mean == near((1 - slope) / math.sqrt(2 * math.pi))
    assert leaky.length_slope == near(leaky.second)


@settings(max_examples=25, deadline=None)
@given(a=st.floats(-5, 5), b=st.floats(-5, 5))
def test_affine_functions(a, b):
    if abs(a) + abs(b) < 1e-3:
        return
    line = found(lambda x: a * x + b)
    assert (line.mean, line.second, line.variance) == near((b, a * a + b * b, a * a))
    assert (line.derivative_mean, line.derivative_second, line.length_slope) == near((a, a * a, a * a))


@settings(max_examples=8, deadline=None)
@given(factor=st.floats(1e-6, 1e6))
def test_a_gain_scales_with_the_inverse_of_the_function(factor):
    one, scaled = gain("silu"), gain(lambda x: factor * x / (1 + np.exp(-x)))
    assert scaled.gain == pytest.approx(one.gain / factor, rel=1e-10)
    assert (scaled.chi_1, scaled.slope) == near((one.chi_1, one.slope), 1e-9)


@settings(max_examples=20, deadline=None)
@given(low=st.floats(-3, -0.1), high=st.floats(0.1, 3))
def test_a_clip_anywhere(low, high):
    def below(x):
        return math.erfc(-x / math.sqrt(2)) / 2

    def density(x):
        return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    inside = below(high) - below(low)
    clip = found(lambda x: np.clip(x, low, high))
    assert clip.derivative_second == near(inside)
    second = low**2 * below(low) + high**2 * below(-high) + inside + low * density(low) - high * density(high)
    assert clip.second == near(second)


@pytest.mark.parametrize(
    ("function", "second", "derivative"),
    [
        (lambda x: x**3, 15, 27),
        (lambda x: np.maximum(x, 0) ** 3, 7.5, 13.5),
        (lambda x: x**5, 945, 25 * 105),
        (lambda x: np.exp(x * x / 5), math.sqrt(5), 4 / 25 * math.sqrt(5) * 5),
        (lambda x: np.exp(2 * x), math.exp(8), 4 * math.exp(8)),
        (lambda x: np.maximum(x, 0) * np.sqrt(abs(x)), 8 / math.sqrt(2 * math.pi) / 4, None),
        (lambda x: np.sin(30 * x), (1 - math.exp(-1800)) / 2, 450 * (1 + math.exp(-1800))),
    ],
)
def test_heavy_and_fast_functions(function, second, derivative):
    moment = found(function)
    assert moment.second == near(second)
    if derivative is not None:
        assert moment.derivative_second == near(derivative)


def test_monte_carlo_agrees():
    z = np.random.default_rng(0).standard_normal(1_000_000)

    def bent(x):
        return np.where(x > 0.7, x - 0.3, np.sin(x)) - 0.2 * abs(x + 1)

    moment, y, h = found(bent), bent(z), 1e-6
    slope = (bent(z + h) - bent(z - h)) / (2 * h)
    for exact, sample in (
        (moment.mean, y),
        (moment.second, y**2),
        (moment.variance, (y - y.mean()) ** 2),
        (moment.length_slope, (z**2 - 1) * y**2 / 2),
    ):
        assert abs(exact - sample.mean()) < 4.5 * sample.std() / 1000
    assert moment.derivative_second == math.inf  # sin(0.7) is not 0.4
    smooth = found(lambda x: np.sin(x) - 0.2 * abs(x + 1))
    slope = np.cos(z) - 0.2 * np.sign(z + 1)
    assert abs(smooth.derivative_second - (slope**2).mean()) < 4.5 * (slope**2).std() / 1000
    assert abs(smooth.derivative_mean - slope.mean()) < 4.5 * slope.std() / 1000


@pytest.mark.parametrize("name", ["sign", "step", "hard_shrink", lambda x: x > 0.3, np.round])
def test_a_jump_makes_the_slope_infinite_and_chi_unknown(name):
    result = gain(name)
    assert result.derivative_second_moment == math.inf
    assert result.chi_1 is None
    assert "jumps at x = " in result.notes[0]
    assert "infinite" in str(result)


def test_sign_has_the_moments_of_a_sign():
    sign = found(np.sign)
    assert (sign.mean, sign.second, sign.length_slope) == near((0, 1, 0))
    assert sign.derivative_mean == near(math.sqrt(2 / math.pi))  # twice a delta at 0


@pytest.mark.parametrize("power", [0.5, 0.75])
def test_a_slope_without_bound_is_unknown_and_the_rest_is_right(power):
    cusp = found(lambda x: abs(x) ** power)
    assert cusp.derivative_second is None
    exact = 2**power * math.gamma(power + 0.5) / math.sqrt(math.pi)
    assert cusp.second == near(exact)
    assert "no bound near x = 0" in cusp.notes[0]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: np.exp(x * x), "grows too fast"),
        (lambda x: np.exp(x * x / 4), "grows too fast"),
        (np.sinh, ""),
        (lambda x: 1 / x, "pole at x = 0"),
        (lambda x: 0 * x, "0 for every input"),
    ],
)
def test_no_second_moment(function, said):
    if not said:
        assert found(function).second == near((math.exp(2) - 1) / 2)
        return
    with pytest.raises(FaninError, match=said):
        found(function)


def test_a_constant_has_a_gain_but_none_for_its_variance():
    result = gain(lambda x: 0 * x + 2.0)
    assert (result.gain, result.variance, result.variance_gain) == (0.5, 0.0, None)
    assert "none" in str(result)


def test_float32_is_enough_for_few_digits_and_says_so():
    result = gain(lambda x: np.tanh(x.astype(np.float32)))
    assert result.gain == pytest.approx(gain("tanh").gain, rel=1e-6)
    assert "digits" in result.notes[0]
