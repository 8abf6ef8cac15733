"""The critical line against the reference table's digits and real networks."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin.errors import FaninError
from fanin.theory.critical import critical_point
from fanin.theory.names import named

# activation, q: sigma_w^2, sigma_b^2, computed by another program in 30 digits.
POINTS = {
    ("tanh", 0.015625): (1.0305575108, 0.0000046513),
    ("tanh", 1.0): (2.1533026489, 0.1509646294),
    ("tanh", 3.0): (3.4244566325, 0.9814914177),
    ("erf", 0.5): (1.3603495232, 0.0465501589),
    ("sin", 2.0): (1.9640275801, 1.0359724199),
    ("softsign", 1.0): (4.3922963608, 0.1961481804),
    ("gelu", 1.0): (2.1936999035, 0.0671916747),
}


@pytest.mark.parametrize(("point", "expected"), POINTS.items(), ids=str)
def test_critical_points_are_those_of_the_table(point, expected):
    activation, q = point
    np.testing.assert_allclose(critical_point(named(activation), q), expected, atol=1e-10)


def test_relu_is_critical_at_hes_variance_and_without_biases():
    for q in (0.1, 1.0, 7.0):
        np.testing.assert_allclose(critical_point(named("relu"), q), (2.0, 0.0), atol=1e-9)


def test_weights_and_biases_have_the_second_moments_of_the_formula():
    model = fanin.initialize(nn.Linear(300, 2000), "edge_of_chaos(q=1)", seed=1)
    weight, bias = critical_point(named("tanh"), 1.0)
    assert float(model.weight.detach().pow(2).mean()) == pytest.approx(weight / 300, rel=0.01)
    assert float(model.bias.detach().pow(2).mean()) == pytest.approx(bias, rel=0.15)


def test_signals_and_gradients_stay_in_a_deep_network():
    layers = [layer for _ in range(30) for layer in (nn.Linear(400, 400), nn.Tanh())]
    model = fanin.initialize(nn.Sequential(*layers), "edge_of_chaos('tanh', 1.0)", seed=0)
    x = torch.randn(64, 400, generator=torch.Generator().manual_seed(0)).requires_grad_()
    values = [x]
    for layer in model:
        values.append(layer(values[-1]))
    last = values[-2]
    assert float(last.detach().pow(2).mean()) == pytest.approx(1.0, rel=0.3)
    (gradient,) = torch.autograd.grad(last, values[21], torch.randn_like(last))
    assert math.log(float(gradient.pow(2).mean())) == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("edge_of_chaos('sign')", "its derivative has no second moment"),
        ("edge_of_chaos(q=0)", "a positive variance"),
        ("edge_of_chaos('sigmoid')", "no critical point at q = 1"),
        ("edge_of_chaos('tahn')", "tanh"),
    ],
)
def test_bad_points_are_refused(text, words):
    with pytest.raises(FaninError) as error:
        fanin.plan(nn.Linear(3, 4), text)
    assert words in str(error.value)
