"""Which layers follow each other through an activation alone."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import fanin
from fanin.graph.parameter import Pairs


def pairs(model):
    return {
        row.parameter.name: row.parameter.pairs
        for row in fanin.plan(model, "ones")
        if "weight" in row.parameter.name
    }


def test_a_chain():
    model = nn.Sequential(
        nn.Linear(3, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 4), nn.GELU(), nn.Linear(4, 5)
    )
    assert pairs(model) == {
        "0.weight": Pairs(0, "relu", 3, 4),
        "3.weight": Pairs(1, "gelu", 3, 4),
        "5.weight": Pairs(1, "", 3, 4),
    }


def test_layers_know_how_far_the_end_is_where_units_come_in_sixteens():
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.SiLU(), nn.Flatten(), nn.Linear(144, 8), nn.SiLU(), nn.Linear(8, 5)
    )
    assert pairs(model) == {
        "0.weight": Pairs(0, "silu", 3, 8, 0, 2),
        "3.weight": Pairs(9, "silu", 3, 8, 2, 0),
        "5.weight": Pairs(1, "", 3, 8, 0, 0),
    }


def test_behind_a_flattened_image_a_unit_has_several_places():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    assert pairs(model)["3.weight"] == Pairs(4, "", 2, 4)


def test_behind_flattened_sequences_units_stay_neighbours():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    assert pairs(model)["3.weight"] == Pairs(1, "", 2, 4)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)),
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3)),
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=4)),
        nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.ReLU(), nn.Conv2d(4, 4, 3)),
        nn.Sequential(nn.Conv1d(4, 4, 1), nn.ReLU(), nn.Linear(8, 4)),
        nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Conv1d(4, 4, 1)),
        nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 4)),
        nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.LayerNorm(4), nn.Linear(4, 4)),
    ],
    ids=[
        "odd",
        "pooled",
        "one channel a group",
        "one unit a group",
        "along",
        "across",
        "norm before",
        "norm behind",
    ],
)
def test_what_cannot_be_paired(model):
    assert set(pairs(model).values()) <= {Pairs()}


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(torch.relu(self.fc(x)))


class Side(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        y = functional.gelu(self.one(x), approximate="tanh")
        return self.other(y) + y


class Two(Side):
    def forward(self, x):
        y = functional.gelu(self.one(x), approximate="tanh")
        return self.other(y)


def test_a_layer_used_twice_and_one_read_by_more_than_layers():
    assert set(pairs(Shared()).values()) == {Pairs()}
    assert set(pairs(Side()).values()) == {Pairs()}
    assert pairs(Two()) == {"one.weight": Pairs(0, "gelu_tanh", 2, 4), "other.weight": Pairs(1, "", 2, 4)}
