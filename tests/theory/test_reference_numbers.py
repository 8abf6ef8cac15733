"""Numbers that others may rely on: 15-digit quadrature of somebody else's, against ours."""

import math

import numpy as np
import pytest

import fanin
from fanin.graph.parameter import Parameter
from fanin.random.philox import key_of
from fanin.schemes.distributions import TruncatedNormal
from fanin.schemes.draw import draw
from fanin.schemes.moments import second_moment

BATCH_NORM = {
    "relu": 1.4669422069,
    "gelu": 1.3188450,
    "silu": 1.2120811,
    "tanh": 1.1778072,
}


@pytest.mark.parametrize(("name", "factor"), BATCH_NORM.items())
def test_what_a_batch_norm_and_an_activation_make_of_a_gradient(name, factor):
    """E[f'^2] / Var f: the norm divides by the deviation of f, which the activation before it has."""
    found = fanin.gain(name)
    assert found.derivative_second_moment / found.variance == pytest.approx(factor, rel=6e-8)
    if name == "relu":
        assert factor == pytest.approx(math.pi / (math.pi - 1), rel=1e-10)


def test_siren_takes_one_over_the_second_moment_of_elu():
    assert 1 / fanin.gain("elu").second_moment == pytest.approx(1.5505188080679277, rel=1e-12)


@pytest.mark.parametrize(("bound", "sd"), [(2, 0.87962566103423978), (3, 0.98657839256)])
def test_truncated_normal_deviations(bound, sd):
    kernel = Parameter("w", (64, 64), "kernel", ("out", "in"))
    found = second_moment(TruncatedNormal(0.0, 1.0, -bound, bound), kernel)
    assert math.sqrt(found) == pytest.approx(sd, rel=1e-10)


def test_complex_truncated_normal_deviation():
    """|z|^2 of a complex normal z is exponential; here |z| is cut at 2."""
    kernel = Parameter("w", (400, 400), "kernel", ("out", "in"), complex=True)
    drawn = draw(TruncatedNormal(0.0, 1.0, -2.0, 2.0), kernel, key_of(0, kernel.name))
    assert np.max(np.abs(drawn)) <= 2
    assert np.sqrt(np.mean(np.abs(drawn) ** 2)) == pytest.approx(0.961961828, rel=3e-3)
