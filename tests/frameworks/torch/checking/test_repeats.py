"""Lists of layers of which several are one."""

import pytest
import torch
from torch import nn

import fanin


class Listed(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers, self.head = nn.ModuleList(layers), nn.Linear(20, 4)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, head = nn.ModuleList(nn.Linear(20, 20) for _ in range(3)), nn.Linear(20, 4)
        self.heads = nn.ModuleList([head] * 3)

    def forward(self, x):
        found = []
        for body, head in zip(self.body, self.heads, strict=True):
            x = torch.relu(body(x))
            found.append(head(x))
        return torch.stack(found).mean(0)


class Loop(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(20, 20), nn.Linear(20, 4)

    def forward(self, x):
        for _ in range(3):
            x = torch.relu(self.layer(x))
        return self.head(x)


def found(model):
    torch.manual_seed(0)
    diagnosis = fanin.diagnose(model, torch.randn(64, 20), torch.arange(64) % 4, loss="cross_entropy")
    return [(one.code, one.evidence["paths"]) for one in diagnosis.findings if one.code == "SYM105"]


def square():
    return nn.Linear(20, 20)


@pytest.mark.parametrize(
    ("model", "paths"),
    [
        (nn.Sequential(*[square(), nn.ReLU()] * 3, nn.Linear(20, 4)), ["0", "2", "4"]),
        (Listed([square()] * 3), ["layers.0", "layers.1", "layers.2"]),
        (Listed([square(), *[nn.Sequential(square(), nn.ReLU())] * 2]), ["layers.1", "layers.2"]),
    ],
)
def test_one_layer_at_several_places(model, paths):
    assert found(model) == [("SYM105", paths)]


@pytest.mark.parametrize(
    "model",
    [
        Listed([square() for _ in range(3)]),
        Heads(),
        Loop(),
        nn.Sequential(square(), slope := nn.PReLU(), square(), slope, nn.Linear(20, 4)),
        Listed([square().requires_grad_(False)] * 3),
    ],
)
def test_layers_of_their_own_heads_that_are_one_and_loops(model):
    assert not found(model)
