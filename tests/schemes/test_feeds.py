"""What feeds a layer: gains of activations, alone and in pairs, against Monte Carlo."""

import numpy as np
import pytest

from fanin.schemes.feeds import drifts, feed, odd_feed, pairs_pay
from fanin.theory.names import named


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu(0.2)", "gelu", "gelu_tanh", "silu", "hardswish", "mish"]
)
def test_what_drifts_is_held_by_pairs(name):
    assert drifts(name)
    z = np.random.default_rng(0).standard_normal(400_000)
    f = named(name).value
    assert odd_feed(name).gain == pytest.approx(np.mean((f(z) - f(-z)) ** 2) ** -0.5, rel=5e-3)


@pytest.mark.parametrize("name", ["relu", "gelu", "silu", "hardswish"])
def test_in_pairs_these_are_the_identity(name):
    z = np.linspace(-6, 6, 101)
    f = named(name).value
    np.testing.assert_allclose(f(z) - f(-z), z, atol=1e-12)
    assert odd_feed(name).gain == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("name", ["tanh", "selu", "elu", "sigmoid", "abs", "", "data", "norm", "sum", "LSTM"])
def test_what_is_stable_even_or_no_activation_is_left_alone(name):
    assert not drifts(name)


@pytest.mark.parametrize(
    ("name", "layers", "pays"), [("relu", 2, True), ("gelu", 3, False), ("gelu", 30, True)]
)
def test_pairs_pay_where_they_cost_nothing_or_networks_would_drift_apart(name, layers, pays):
    assert pairs_pay(name, layers, 128) == pays
    assert not pairs_pay("tanh", 50, 128)


def test_an_lstm_is_fed_forward_twice_as_strong():
    assert feed("LSTM").gain == 2.0
    assert "output gate" in feed("LSTM").reason
