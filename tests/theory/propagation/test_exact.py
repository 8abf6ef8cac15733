"""Deep networks in the limit of infinite width, against quadrature: to ten digits, at any seed."""

import itertools
import math

import numpy as np
import pytest
from scipy.special import erf

from fanin.theory.propagation.functions import function
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from theory.propagation.graphs import Maker
from theory.propagation.integrals import mean_square
from theory.propagation.simulation import predicted, predicted_back

DEPTH, GAIN, N = 6, 1.5, 2**50
KINKS = -1.0, -0.5, 0.0, 1.0, 2.0
NAMES = "tanh", "gelu", "silu", "elu", "selu", "mish", "softplus"


def _named(name):
    return lambda m, x: m.apply(name, x)


def _silu(m, x):
    return m.apply("multiply", x, m.apply("sigmoid", x))


def _gelu(m, x):
    gate = m.apply("erf", m.apply("multiply", x, m.constant(math.sqrt(0.5))))
    return m.apply("multiply", m.apply("multiply", x, m.constant(0.5)), m.apply("add", gate, m.constant(1.0)))


def _clipped(m, x):
    """Two kinks, between layers that are two functions each."""
    return m.apply("tanh", m.apply("minimum", m.apply("maximum", x, m.constant(-0.5)), m.constant(2.0)))


def _square_relu(m, x):
    return m.apply("square", m.apply("relu", x))


def _of(name):
    applied = function(name)
    return applied.value, lambda x: applied.slopes(x, applied.value(x))[0]


CASES = {
    **{name: (_named(name), *_of(name)) for name in NAMES},
    "x sigmoid(x)": (_silu, *_of("silu")),
    "x (1 + erf) / 2": (
        _gelu,
        lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
        lambda x: 0.5 * (1 + erf(x / math.sqrt(2))) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    ),
    "tanh(clip(x))": (
        _clipped,
        lambda x: np.tanh(np.clip(x, -0.5, 2.0)),
        lambda x: (1 - np.tanh(x) ** 2) * (-0.5 < x < 2.0),
    ),
    "relu(x)^2": (_square_relu, lambda x: np.maximum(x, 0) ** 2, lambda x: 2 * np.maximum(x, 0)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_deep_networks(name, seed):
    apply, value, slope = CASES[name]
    m = Maker()
    signals, sums = [m.input(8, N)], []
    for _ in range(DEPTH):
        sums.append(m.linear(signals[-1], N, variance=GAIN / N))
        signals.append(apply(m, sums[-1]))
    found = run(m.graph(signals[-1]), {signals[0]: InputLaw()}, seed=seed)
    q, growth = 1.0, []
    for signal in signals[1:]:
        deviation = math.sqrt(GAIN * q)
        q = mean_square(value, 0.0, deviation, KINKS)
        growth.append(GAIN * mean_square(slope, 0.0, deviation, KINKS))
        assert predicted(found, signal)["q"] == pytest.approx(q, rel=1e-10)
    for (before, after), wanted in zip(itertools.pairwise(signals), growth, strict=True):
        back = [predicted_back(found, each)["q"] for each in (before, after)]
        assert back[0] / back[1] == pytest.approx(wanted, rel=1e-10)
