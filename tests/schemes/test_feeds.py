"""What feeds a layer: gains of activations, alone and in pairs, against Monte Carlo."""

import numpy as np
import pytest

from fanin.schemes.feeds import drifts, eighths, feed, odd_feed
from fanin.theory.gain import gain_of
from fanin.theory.names import named


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu(0.2)", "gelu", "gelu_tanh", "silu", "hardswish", "mish"]
)
def test_what_drifts_is_held_by_pairs(name):
    assert drifts(name)
    z = np.random.default_rng(0).standard_normal(400_000)
    f = named(name).value
    assert odd_feed(name).gain == pytest.approx(np.mean((f(z) - f(-z)) ** 2 / 2) ** -0.5, rel=5e-3)


@pytest.mark.parametrize("name", ["relu", "gelu", "silu", "hardswish"])
def test_in_pairs_these_are_the_identity(name):
    z = np.linspace(-6, 6, 101)
    f = named(name).value
    np.testing.assert_allclose(f(z) - f(-z), z, atol=1e-12)
    assert odd_feed(name).gain == pytest.approx(2**0.5, abs=1e-9)


@pytest.mark.parametrize("name", ["tanh", "selu", "elu", "sigmoid", "abs", "", "data", "norm", "sum", "LSTM"])
def test_what_is_stable_even_or_no_activation_is_left_alone(name):
    assert not drifts(name)


@pytest.mark.parametrize("name", ["gelu", "silu"])
@pytest.mark.parametrize(("units", "layers"), [(64, 5), (256, 5), (512, {"gelu": 7, "silu": 6})])
def test_pairs_begin_to_pay_where_networks_would_drift_apart(name, units, layers):
    first = layers[name] if isinstance(layers, dict) else layers
    found = [eighths(name, layers, units, 4) for layers in (2, first - 1, first, 30)]
    assert found == [0, 0, 8, 8]


def test_pairs_always_pay_where_they_cost_nothing_and_never_where_nothing_drifts():
    assert [eighths("relu", layers, 512, links) for layers, links in ((2, 1), (9, 2), (9, 0))] == [8, 8, 8]
    assert eighths("tanh", 50, 512, 4) == eighths("", 50, 512, 4) == eighths("silu", 50, 0, 4) == 0


def test_pairs_end_slowly_or_at_once_where_units_do_not_split():
    assert [eighths("silu", 10, 512, links) for links in (5, 4, 3, 2, 1, 0)] == [8, 8, 7, 5, 3, 8]


@pytest.mark.parametrize(("name", "all_at_once", "slowly"), [("gelu", 0.91, 0.98), ("silu", 0.76, 0.935)])
def test_the_gradient_changes_less_where_pairs_end_slowly(name, all_at_once, slowly):
    """The closed form that the docstring states, with Monte Carlo for E[f'^2] and E[f^2]."""
    z, h = np.random.default_rng(0).standard_normal(400_000), 1e-4
    f = named(name).value
    slope = np.mean(((f(z + h) - f(z - h)) / (2 * h)) ** 2)
    chi = slope / np.mean(f(z) ** 2)
    assert chi == pytest.approx(gain_of(named(name), depth=1).chi_1, rel=0.01)
    p = np.array([eighths(name, 10, 512, links) / 8 for links in (4, 3, 2, 1)])
    whole, each = p + (1 - p) * chi, 2 * p * slope + (1 - p) * chi
    steps = whole[1:] * each[:-1] / each[1:]
    assert each[0] == pytest.approx(all_at_once, abs=0.01)
    assert min(*steps, each[-1]) == pytest.approx(slowly, abs=0.01)


def test_an_lstm_is_fed_forward_twice_as_strong():
    assert feed("LSTM").gain == 2.0
    assert "output gate" in feed("LSTM").reason
