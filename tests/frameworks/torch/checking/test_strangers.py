"""Weights of layers that a module keeps in plain lists, or anywhere else where it does not register them."""

import pytest
import torch
from torch import nn

import fanin


class Kept(nn.Module):
    def __init__(self, keep, *, trained=True):
        super().__init__()
        layers = [nn.Linear(20, 16).requires_grad_(trained), nn.Linear(16, 16).requires_grad_(trained)]
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
        (list, ["layers[0].weight", "layers[1].weight"]),
        (lambda layers: {"a": layers[0], "b": layers[1]}, ["layers['a'].weight", "layers['b'].weight"]),
    ],
)
def test_plain_containers(keep, names):
    assert found(Kept(keep)) == [("SET108", names)]


@pytest.mark.parametrize("model", [Kept(nn.ModuleList), Kept(list, trained=False)])
def test_registered_or_frozen(model):
    assert not found(model)
