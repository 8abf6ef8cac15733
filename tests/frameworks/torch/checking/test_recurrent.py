"""Recurrent layers, whole and cell by cell."""

from functools import partial

import pytest
import torch
from torch import nn

import fanin
from fanin.frameworks.torch.checking.watch import Watch
from fanin.rules.vitals import Felt


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"])
def test_identical_units_of_recurrent_layers(cell):
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.head = getattr(nn, cell)(8, 16), nn.Linear(16, 4)

        def forward(self, x):
            if not cell.endswith("Cell"):
                return self.head(self.cell(x)[0][-1])
            state = None
            for step in x.unbind(0):
                state = self.cell(step, state)
            return self.head(state[0] if isinstance(state, tuple) else state)

    x, y = torch.randn(6, 16, 8), torch.arange(16) % 4
    torch.manual_seed(0)
    model = Reader()
    assert fanin.diagnose(model, x, y, loss="cross_entropy", select=["SYM"]).ok
    for weight in model.cell.parameters():
        nn.init.constant_(weight, 0.1)
    # Another gradient for each unit, from a head at random, parts them: a warning.
    (found,) = fanin.diagnose(model, x, y, loss="cross_entropy", select=["SYM"]).findings
    assert (found.code, found.severity, found.where.partition("#")[0]) == ("SYM103", "warning", "cell")
    nn.init.constant_(model.head.weight, 0.1)
    (found,) = fanin.diagnose(model, x, y, loss="cross_entropy", select=["SYM"]).findings
    assert (found.code, found.where.partition("#")[0]) == ("SYM101", "cell")


def ran(module, x):
    """Return what a recurrent module returns, and gradients of it with fixed weights."""
    out, last = module(x)
    values = [getattr(out, "data", out), *(last if isinstance(last, tuple) else (last,))]
    torch.manual_seed(1)
    loss = sum((one * torch.randn(one.shape)).sum() for one in values)
    return values, torch.autograd.grad(loss, [*module.parameters()])


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN, partial(nn.RNN, nonlinearity="relu")])
@pytest.mark.parametrize("both", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("given", ["steps first", "examples first", "packed", "one example"])
def test_watched_layers_return_what_they_return(kind, both, given):
    torch.manual_seed(0)
    module = kind(4, 6, 3, bidirectional=both, batch_first=given == "examples first")
    x = torch.randn(5, 7, 4) if given != "one example" else torch.randn(5, 4)
    if given == "packed":
        lengths = torch.tensor([3, 5, 2, 1, 5, 4, 1])
        x = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    values, gradients = ran(module, x)
    with Watch(module) as watch:
        same, back = ran(module, x)
    assert [one.name for one in watch.layers] == [f"{type(module).__name__} (layer {n})" for n in (1, 2, 3)]
    assert all(map(torch.equal, values, same))
    torch.testing.assert_close(back, gradients)


class Stack(nn.Module):
    def __init__(self, kind=nn.RNN, layers=8, **options):
        super().__init__()
        self.cell = kind(8, 32, layers, batch_first=True, **options)
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        _, last = self.cell(x)
        return self.head((last[0] if isinstance(last, tuple) else last)[-1])


def looked_at(model):
    torch.manual_seed(0)
    x, y = torch.randn(16, 10, 8), torch.arange(16) % 4
    return fanin.diagnose(model, x, y, loss="cross_entropy")


def test_gradients_that_vanish_in_a_stack():
    model = Stack()
    for weight in model.cell.parameters():
        nn.init.normal_(weight, 0, 0.02)
    (found,) = looked_at(model).at_least("warning")
    assert (found.code, found.where) == ("BWD101", "cell (layer 1)")
    assert all(layer.gradient for layer in looked_at(model).vitals.layers)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_usual_stacks_are_healthy(kind):
    torch.manual_seed(0)
    assert not looked_at(Stack(kind, 4)).at_least("warning")


def test_gates_of_one_layer_of_a_stack():
    model = Stack(nn.LSTM, 3)
    nn.init.normal_(model.cell.weight_hh_l1, 0, 30.0)
    nn.init.normal_(model.cell.weight_ih_l1, 0, 30.0)
    (found,) = looked_at(model).at_least("error")
    assert (found.code, found.where) == ("SAT101", "cell (layer 2)")


def test_parameters_of_a_stack_belong_to_its_layers():
    layers = {one.name: one.layer for one in looked_at(Stack(nn.GRU, 2)).vitals.parameters}
    assert layers["cell.weight_hh_l1"] == "cell (layer 2)"
    assert layers["head.weight"] == "head"


def test_dropout_between_layers_is_left_out():
    torch.manual_seed(0)
    model = Stack(nn.GRU, 2, dropout=0.9)
    calm = Stack(nn.GRU, 2)
    calm.load_state_dict(model.state_dict())
    assert looked_at(calm).vitals.output == looked_at(model).vitals.output
    assert model.training
    assert model.cell.dropout == 0.9


def by_step(module, x):
    """Return how many steps of x have a gradient above float32's epsilon, of the largest."""
    x = x.clone().requires_grad_()
    states = module(x)[0]
    axis = 1 if module.batch_first else 0
    states.select(axis, -1).square().mean().backward()
    scales = x.grad.double().square().mean(tuple({0, 1, 2} - {axis})).sqrt()
    return int((scales > torch.finfo(torch.float32).eps * scales.max()).sum())


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_steps_that_are_felt(kind, first, layers):
    torch.manual_seed(0)
    module, x = kind(8, 16, layers, batch_first=first), torch.randn(*((4, 90) if first else (90, 4)), 8)
    with Watch(module) as watch:
        module(x)[0].select(int(first), -1).square().mean().backward()
    felt = watch.layers[0].felt
    assert (felt.steps, felt.of) == (by_step(module, x), 90)
    assert 10 < felt.steps < 90


def test_recurrences_that_forget():
    torch.manual_seed(0)
    module, head = nn.RNN(8, 64, batch_first=True), nn.Linear(64, 4)
    nn.init.normal_(module.weight_hh_l0, 0, 0.005)

    class Reader(nn.Module):
        def __init__(self, last):
            super().__init__()
            self.cell, self.head, self.last = module, head, last

        def forward(self, x):
            states = self.cell(x)[0]
            return self.head(states[:, -1] if self.last else states.mean(1))

    x, y = torch.randn(16, 60, 8), torch.arange(16) % 4
    (found,) = fanin.diagnose(Reader(True), x, y, loss="cross_entropy").at_least("warning")
    assert (found.code, found.where) == ("BWD105", "cell")
    assert not fanin.diagnose(Reader(False), x, y, loss="cross_entropy", select=["BWD"]).findings
    nn.init.orthogonal_(module.weight_hh_l0)
    assert not fanin.diagnose(Reader(True), x, y, loss="cross_entropy", select=["BWD"]).findings


def test_gradients_that_are_cut_do_not_fade():
    torch.manual_seed(0)
    module = nn.RNN(8, 16, batch_first=True)
    with Watch(module) as watch:
        _, state = module(torch.randn(4, 30, 8))
        module(torch.randn(4, 5, 8), state.detach())[0].square().mean().backward()
    assert watch.layers[0].felt is None
    assert watch.layers[1].felt == Felt(5, 5)
