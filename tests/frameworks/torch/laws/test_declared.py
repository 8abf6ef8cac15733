"""Laws that initializers declare on the meta device, against what they draw on the CPU."""

import math
import warnings

import pytest
import torch
from torch import nn

from fanin.frameworks.torch.laws.declared import declared, declaring, recorded


class Constructed(nn.Module):
    """Everything that a constructor may do."""

    def __init__(self):
        super().__init__()
        self.orthogonal, self.sparse = nn.Linear(30, 40), nn.Linear(50, 60)
        nn.init.orthogonal_(self.orthogonal.weight, gain=2.0)
        nn.init.sparse_(self.sparse.weight, 0.3)
        self.dirac, self.eye, self.cut = nn.Conv2d(8, 8, 3), nn.Linear(30, 30), nn.Linear(60, 60)
        nn.init.dirac_(self.dirac.weight)
        nn.init.eye_(self.eye.weight)
        nn.init.trunc_normal_(self.cut.weight, std=0.02, a=-0.03, b=0.05)
        self.scaled = nn.Parameter(torch.randn(60, 50) * 0.02)
        self.shifted = nn.Parameter(1 + 0.1 * torch.rand(3000))
        self.constant = nn.Parameter(1e-6 * torch.ones(5))
        self.steps = nn.Parameter(torch.log(torch.arange(1, 17).float()).repeat(8, 1))
        self.exponential = nn.Parameter(torch.exp(torch.rand(4000) * 2 - 1))
        self.copied = nn.Parameter(torch.empty(70, 40))
        self.copied.data.copy_(torch.randn(70, 40))
        self.erf = nn.Parameter(torch.empty(70, 60).uniform_(-0.9, 0.9).erfinv_().mul_(0.5).clamp_(-0.4, 0.4))


class Forgetting(nn.LSTM):
    """A part of its biases is filled with another value."""

    def reset_parameters(self):
        super().reset_parameters()
        with torch.no_grad():
            self.bias_ih_l0[self.hidden_size : 2 * self.hidden_size].fill_(1.0)


class Nano(nn.Module):
    """As nanoGPT."""

    def __init__(self):
        super().__init__()
        self.table, self.proj = nn.Embedding(50, 30, padding_idx=3), nn.Linear(30, 40)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)
            torch.nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            module.weight.data.normal_(mean=0.0, std=0.5)
            module.weight.data[module.padding_idx].zero_()


class Initialized(nn.Module):
    """As timm's, or TorchTitan's."""

    def __init__(self):
        super().__init__()
        self.position, self.fc = nn.Parameter(torch.zeros(1, 20, 30)), nn.Linear(30, 30)
        self.init_weights()

    def init_weights(self):
        nn.init.trunc_normal_(self.position, std=0.02)
        nn.init.xavier_uniform_(self.fc.weight)


LATER = {
    "embedding": lambda: nn.Embedding(60, 40, padding_idx=0),
    "forgetting": lambda: Forgetting(20, 30),
    "initialized": Initialized,
    "lstm": lambda: nn.LSTM(20, 30, 2),
    "nano": Nano,
    "norms": lambda: nn.Sequential(nn.LayerNorm(5), nn.BatchNorm1d(5), nn.RMSNorm(5), nn.GroupNorm(1, 5)),
    "transformer": lambda: nn.Transformer(32, 4, 1, 1, 64, batch_first=True),
}


@pytest.mark.parametrize("name", LATER)
def test_initializers_are_run_again(name):
    with torch.device("meta"):
        model = LATER[name]()
    told = declared(model)
    assert told.unseen == ()
    _compare(LATER[name], model, told.memories)


@pytest.mark.parametrize("name", ["constructed", *LATER])
def test_constructors_are_recorded(name):
    make = Constructed if name == "constructed" else LATER[name]
    model = recorded(make)
    assert all(parameter.is_meta for parameter in model.parameters())
    _compare(make, model, declared(model).memories)


def test_what_a_constructor_drew_unseen_is_unknown():
    with torch.device("meta"):
        model = nn.Sequential(Constructed(), nn.Linear(3, 3))
    told = declared(model)
    assert told.unseen == ("Constructed",)
    assert told.memories.law(model[0].cut.weight) is None
    assert told.memories.law(model[1].weight) is not None


def _tied():
    model = nn.ModuleDict({"table": nn.Embedding(10, 4), "head": nn.Linear(4, 10)})
    model["head"].weight = model["table"].weight
    return model


def test_what_two_layers_fill_otherwise_is_unknown():
    with torch.device("meta"):
        model = _tied()
    told = declared(model)
    assert told.contested == ("Linear",)
    assert told.memories.law(model["table"].weight) is None
    assert told.memories.law(model["head"].bias) is not None
    kept = recorded(_tied)
    assert declared(kept).memories.law(kept["head"].weight).variance == 1.0


def test_functions_that_make_models_on_meta_are_watched():
    def make():
        with torch.device("meta"):
            return nn.Sequential(Constructed(), nn.Linear(3, 3))

    model = declaring(make(), make)
    _compare(lambda: nn.Sequential(Constructed(), nn.Linear(3, 3)), model, declared(model).memories)
    real = nn.Linear(3, 3)
    assert declaring(real, make) is real


def test_orthogonal_says_so():
    model = recorded(Constructed)
    law = declared(model).memories.law(model.orthogonal.weight)
    assert law is not None
    assert law.orthogonal
    assert law.variance == pytest.approx(4 / 40)


def test_what_nobody_fills_is_unknown():
    class Empty(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(3))

    model = recorded(Empty)
    assert declared(model).memories.law(model.weight) is None


def test_initializers_work_as_ever_afterwards():
    recorded(Constructed)
    weight = nn.init.orthogonal_(torch.empty(8, 8))
    torch.testing.assert_close(weight @ weight.T, torch.eye(8), atol=1e-5, rtol=0)
    assert float(nn.init.trunc_normal_(torch.empty(1000), std=0.1, a=-0.1, b=0.1).abs().max()) <= 0.1
    assert nn.init.sparse_(torch.empty(10, 10), 0.5).count_nonzero() == 50


def test_real_parts_are_filled_while_others_are_recorded():
    def build():
        model = nn.Module()
        model.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(6, 6, device="cpu")))
        return model

    weight = recorded(build).weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(6), atol=1e-5, rtol=0)


def test_real_parts_are_not_drawn_again():
    layer = nn.Linear(4, 4)
    before = layer.weight.clone()
    with torch.device("meta"):
        other = nn.Linear(4, 4)
    declared(nn.Sequential(layer, other))
    assert torch.equal(layer.weight, before)


def _compare(make, model, memories):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        real = dict(make().named_parameters())
    for name, parameter in model.named_parameters():
        law, values = memories.law(parameter), real[name].detach()
        assert law is not None, name
        tolerance = 6 / math.sqrt(values.numel())
        sd = math.sqrt(law.variance)
        assert float(values.mean()) == pytest.approx(law.mean, abs=tolerance * sd + 1e-6), name
        found = float(values.var(correction=0))
        assert found == pytest.approx(law.variance, rel=0.01 + 2 * tolerance, abs=1e-10), name
