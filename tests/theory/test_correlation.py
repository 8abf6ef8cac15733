"""Pair moments against closed forms, Monte Carlo and what every kernel obeys."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.theory.activation import Activation
from fanin.theory.correlation import breaks, pair_moments
from fanin.theory.moments import moments
from fanin.theory.names import named
from fanin.theory.panels import resolve

C = np.array([-0.9999, -0.7, -0.2, 0.0, 0.3, 0.8, 0.999, 0.999999])
QS = [1e-4, 0.5, 1.0, 30.0]


def pairs(name, q=1.0):
    return pair_moments(named(name), resolve(named(name)), q)


@pytest.mark.parametrize("q", QS)
def test_relu_is_the_arc_cosine_kernel(q):
    moment, slope = pairs("relu", q).at(q, C)
    angle = np.arccos(C)
    expected = (np.sin(angle) + (math.pi - angle) * C) / (2 * math.pi)
    np.testing.assert_allclose(moment / q, expected, atol=1e-14)
    np.testing.assert_allclose(slope / q, (math.pi - angle) / (2 * math.pi), atol=1e-9)


@pytest.mark.parametrize("q", QS)
def test_erf_is_the_arcsine_kernel(q):
    moment, slope = pairs("erf", q).at(q, C)
    share = 2 * q / (1 + 2 * q)
    np.testing.assert_allclose(moment, 2 / math.pi * np.arcsin(share * C), atol=1e-14)
    np.testing.assert_allclose(slope, 2 / math.pi * share / np.sqrt(1 - (share * C) ** 2), rtol=1e-9)


def test_a_sign_jumps_and_still_is_exact():
    moment, slope = pairs("sign").at(2.0, C)
    np.testing.assert_allclose(moment, 2 / math.pi * np.arcsin(C), atol=1e-13)
    np.testing.assert_allclose(slope, 2 / math.pi / np.sqrt(1 - C**2), rtol=1e-9)


def test_a_line_keeps_the_correlation():
    moment, slope = pairs("identity").at(3.0, C)
    np.testing.assert_allclose(moment, 3 * C, atol=1e-13)
    np.testing.assert_allclose(slope, 3.0, rtol=1e-9)


@pytest.mark.parametrize(("name", "expected"), [("sin", np.sinh), ("cos", np.cosh)])
def test_waves(name, expected):
    moment, _ = pairs(name, 2.0).at(2.0, C)
    np.testing.assert_allclose(moment, math.exp(-2) * expected(2 * C), atol=1e-13)


KINKED = ["hard_tanh", "selu", "elu", "hard_swish", "leaky_relu(-0.4)", "soft_shrink", "softsign", "relu6"]


@pytest.mark.parametrize("name", [*KINKED, "tanh", "gelu", "silu", "mish", "softplus"])
def test_monte_carlo(name):
    f, q, c = named(name).value, 1.7, 0.6
    u, v = np.random.default_rng(3).standard_normal((2, 4_000_000))
    x, y = math.sqrt(q) * u, math.sqrt(q) * (c * u + math.sqrt(1 - c * c) * v)
    drawn = f(x) * f(y)
    moment, _ = pairs(name, q).at(q, c)
    assert abs(drawn.mean() - float(moment)) < 4 * drawn.std() / math.sqrt(len(drawn))


@pytest.mark.parametrize("name", [*KINKED, "tanh", "gelu", "silu", "sign"])
def test_it_agrees_with_the_series_of_hermite_coefficients(name):
    """Mehler: E[f(x) f(y)] = sum a_n^2 c^n, with a_n from one-dimensional integrals alone."""
    panels = resolve(named(name))
    z, weights = panels.nodes, panels.weights * np.exp(-(panels.nodes**2) / 2) / math.sqrt(2 * math.pi)
    before, basis, total, slope = np.zeros_like(z), np.ones_like(z), np.zeros_like(C), np.zeros_like(C)
    few = np.abs(C) < 0.5  # where the series ends soon enough
    for n in range(60):
        coefficient = np.sum(weights * panels.values * basis) ** 2
        total += coefficient * C**n
        slope += n * coefficient * C ** max(n - 1, 0)
        before, basis = basis, (z * basis - math.sqrt(n) * before) / math.sqrt(n + 1)
    moment, found = pairs(name).at(1.0, C)
    np.testing.assert_allclose(moment[few], total[few], atol=1e-11)
    np.testing.assert_allclose(found[few], slope[few], atol=1e-10)


@pytest.mark.parametrize("name", ["tanh", "gelu", "elu", "hard_tanh", "softsign", "sin"])
def test_both_ends_are_the_one_dimensional_moments(name):
    activation = named(name)
    found = moments(activation, resolve(activation))
    moment, slope = pairs(name).at(1.0, np.array([0.0, 1 - 1e-7]))
    assert moment[0] == pytest.approx(found.mean**2, abs=1e-13)
    assert slope[0] == pytest.approx(found.derivative_mean**2, abs=1e-12)
    assert moment[1] == pytest.approx(found.second, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(low=st.floats(-2, -0.2), high=st.floats(0.1, 2.5), q=st.floats(0.01, 20), c=st.floats(0, 0.99))
def test_any_clip_is_convex_in_c_and_bounded(low, high, q, c):
    clip = Activation("clip", lambda x: np.clip(x, low, high))
    moment, slope = pair_moments(clip, resolve(clip), q).at(q, np.array([c / 2, c, (c + 1) / 2]))
    assert np.all(np.diff(moment) >= -1e-12)
    assert np.all(np.diff(slope) >= -1e-9)
    assert np.all(np.abs(moment) <= max(low**2, high**2) + 1e-12)


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-2, 2), q=st.floats(0.1, 5), c=st.floats(-0.98, 0.98))
def test_a_shifted_relu_anywhere_agrees_with_itself_mirrored(shift, q, c):
    right = Activation("right", lambda x: np.maximum(x - shift, 0))
    left = Activation("left", lambda x: np.maximum(-x - shift, 0))
    one, two = (pair_moments(f, resolve(f), q).at(q, c) for f in (right, left))
    np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", ["tanh", "sin", "gelu", "exp"])
def test_c_squared_has_the_slope_of_a_difference(name):
    found, step = pairs(name), 1e-5
    moment, _ = found.at(1.0, np.array([0.4 - step, 0.4 + step]))
    _, slope = found.at(1.0, 0.4)
    assert float(slope) == pytest.approx((moment[1] - moment[0]) / (2 * step), rel=1e-8)


def test_breaks_are_found_in_any_of_the_first_derivatives():
    for power in (1, 2, 3):
        bent = Activation("bent", lambda x, power=power: np.maximum(x - 0.5, 0) ** power)
        assert breaks(resolve(bent)) == pytest.approx((0.5,), abs=1e-9)
    for name in ("tanh", "gelu", "gelu_tanh", "silu", "softplus", "sin"):
        assert breaks(resolve(named(name))) == ()
