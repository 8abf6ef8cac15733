"""Recurrent schemes on PyTorch's and Keras' own layers."""

import math

import keras
import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin.errors import FaninError
from fanin.schemes.distributions import Chrono, Constant, Identity


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(20, 32)
        self.gru = nn.GRU(32, 32)
        self.rnn = nn.RNN(32, 32)
        self.head = nn.Linear(32, 5)


def test_recurrent_kernels_of_irnn_are_the_identity():
    model = fanin.initialize(Network(), "irnn")
    assert torch.equal(model.rnn.weight_hh_l0, torch.eye(32))
    plan = fanin.plan(model, "irnn")
    assert plan["rnn.weight_hh_l0"].distribution == Identity(1.0)
    assert plan["rnn.bias_ih_l0"].distribution == Constant(0.0)
    assert plan["head.weight"].sd == 0.001


def test_gates_each_for_themselves():
    model = fanin.initialize(Network(), "gated", seed=4)
    for part in model.lstm.weight_hh_l0.detach().chunk(4):
        np.testing.assert_allclose(part @ part.T, np.eye(32), atol=1e-5)
    for part in model.lstm.weight_ih_l0.detach().chunk(4):
        assert float((part**2).mean()) == pytest.approx(2 / (20 + 32), rel=0.15)
        assert float(part.abs().max()) <= math.sqrt(6 / (20 + 32))


@pytest.mark.parametrize(("scheme", "value"), [("gated", 1.0), ("gated(forget=3)", 3.0)])
def test_the_forget_gate_starts_open_once(scheme, value):
    """PyTorch has two biases that are added: only one of them is opened."""
    model = fanin.initialize(Network(), scheme)
    total = (model.lstm.bias_ih_l0 + model.lstm.bias_hh_l0).detach().view(4, 32)
    assert total.sum(1).tolist() == [0.0, 32 * value, 0.0, 0.0]


class TestChrono:
    def test_an_lstms_gates_are_the_papers(self):
        model = fanin.initialize(nn.LSTM(4, 5000), "gated + chrono(longest=100)", seed=1)
        b = (model.bias_ih_l0 + model.bias_hh_l0).detach().view(4, -1).numpy()  # input, forget, cell, output
        np.testing.assert_array_equal(b[0], -b[1])
        assert not b[2:].any()
        steps = np.exp(b[1].astype(float))
        assert (steps.min() >= 1, steps.max() <= 99, abs(steps.mean() - 50) < 2) == (True, True, True)
        expected = fanin.plan(nn.LSTM(4, 5000), "chrono(longest=100)")["bias_ih_l0"].sd ** 2
        assert (b.astype(float) ** 2).mean() == pytest.approx(expected, rel=0.02)

    def test_a_grus_update_gate_is_opened(self):
        model = fanin.initialize(nn.GRU(4, 200), "gated + chrono(longest=10)")
        b = (model.bias_ih_l0 + model.bias_hh_l0).detach().view(3, -1)  # reset, update, new
        assert (b[1].min() >= 0, float(b[1].max()) <= math.log(9)) == (True, True)
        assert not b[[0, 2]].any()

    def test_kerass_two_rows_of_biases_count_once(self):
        model = keras.Sequential([keras.Input((7, 4)), keras.layers.GRU(30)])
        fanin.initialize(model, "gated + chrono(longest=10)")
        bias = np.asarray(model.layers[0].cell.bias).reshape(2, 3, 30)  # update, reset, new
        assert bias[0, 0].all()
        assert not bias[1].any()
        assert not bias[0, 1:].any()
        row = next(row for row in fanin.plan(model, "chrono(longest=10)") if row.distribution == Chrono(10.0))
        assert (bias**2).mean() == pytest.approx(row.sd**2, rel=0.2)

    def test_other_biases_stay_with_the_other_scheme(self):
        plan = fanin.plan(Network(), "normal(stddev=0.1) + chrono")
        assert plan["head.bias"].distribution == Constant(0.0)
        assert plan["head.weight"].sd == 0.1

    def test_too_short_a_time_is_refused(self):
        with pytest.raises(FaninError, match="2 steps or more"):
            fanin.plan(Network(), "chrono(longest=1)")
        assert fanin.plan(Network(), "chrono(longest=2)")["lstm.bias_ih_l0"].sd == 0
