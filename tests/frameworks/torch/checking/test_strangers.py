"""Weights that a module keeps in plain lists, as plain tensors, or elsewhere, and does not register."""

import pytest
import torch
from torch import nn
from torch.nn.utils import weight_norm

import fanin


class Kept(nn.Module):
    def __init__(self, keep, *, trained=True):
        super().__init__()
        layers = [nn.Linear(20, 20).requires_grad_(trained), nn.Linear(20, 16).requires_grad_(trained)]
        self.layers, self.head = keep(layers), nn.Linear(16, 4)

    def forward(self, x):
        layers = self.layers.values() if hasattr(self.layers, "values") else self.layers
        for layer in layers:
            x = torch.relu(layer(x))
        return self.head(x)


def found(model):
    diagnosis = fanin.diagnose(model, torch.randn(32, 20), torch.arange(32) % 4, loss="cross_entropy")
    return [(one.code, one.evidence.get("parameters")) for one in diagnosis.findings]


@pytest.mark.parametrize(
    ("keep", "names"),
    [
        (list, ["layers[0].weight", "layers[0].bias", "layers[1].weight", "layers[1].bias"]),
        (lambda layers: {"a": layers[1]}, ["layers['a'].weight", "layers['a'].bias"]),
    ],
)
def test_plain_containers(keep, names):
    assert found(Kept(keep)) == [("SET108", names)]


@pytest.mark.parametrize("model", [Kept(nn.ModuleList), Kept(list, trained=False)])
def test_registered_or_frozen(model):
    assert not found(model)


class Scaled(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.layer, self.head = nn.Linear(20, 16), nn.Linear(16, 4)
        self._scale = make(self)

    def forward(self, x):
        return self.head(torch.relu(self.layer(x)) * self._scale)


@pytest.mark.parametrize(
    "make",
    [
        lambda model: torch.rand(16, requires_grad=True),
        lambda model: nn.Parameter(torch.rand(16)) * 1.0,
        lambda model: nn.Parameter(torch.rand(16)).double().float(),
    ],
)
def test_tensors_that_are_plain_attributes(make):
    assert found(Scaled(make)) == [("SET108", ["_scale"])]


@pytest.mark.parametrize(
    "make",
    [
        lambda model: torch.rand(16),
        lambda model: nn.Parameter(torch.rand(16)),
        lambda model: model.layer.bias * 2.0,
        lambda model: [torch.rand(16, requires_grad=True), torch.rand(16)][1],
    ],
)
def test_constants_parameters_and_what_is_made_of_these(make):
    assert not found(Scaled(make))


def test_weights_that_a_norm_of_weights_makes():
    with pytest.warns(FutureWarning):
        layer = weight_norm(nn.Linear(20, 4))
    assert not found(nn.Sequential(layer))


class Stacked(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.token = nn.Linear(20, 4), torch.randn(1, 20, requires_grad=True)

    def forward(self, x):
        return self.body(torch.cat([self.token, x]))[1:]


def test_tensors_in_a_list_of_arguments():
    assert found(Stacked()) == [("SET108", ["token"])]


class Physics(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
        self.x = torch.linspace(-1, 1, 64)[:, None].requires_grad_()

    def forward(self, _):
        u = self.net(self.x)
        (slope,) = torch.autograd.grad(u.sum(), self.x, create_graph=True)
        return slope + u


def test_coordinates_of_derivatives_are_inputs():
    diagnosis = fanin.diagnose(Physics(), torch.zeros(64, 1), torch.randn(64, 1), loss="mse")
    assert "SET108" not in [one.code for one in diagnosis.findings]
