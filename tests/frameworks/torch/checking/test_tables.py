"""Tokens that drown in what is added to them."""

import math

import pytest
import torch
from torch import nn

import fanin

WIDTH, STEPS = 256, 16


def sines():
    steps, rates = (
        torch.arange(STEPS)[:, None],
        torch.exp(torch.arange(0, WIDTH, 2) * (-math.log(1e4) / WIDTH)),
    )
    return torch.cat([torch.sin(steps * rates), torch.cos(steps * rates)], 1)


class Model(nn.Module):
    def __init__(self, tokens, places, times=1.0, *, wide=False, inplace=False):
        super().__init__()
        self.table, self.head = nn.Embedding(50, WIDTH), nn.Linear(WIDTH, 50)
        nn.init.normal_(self.table.weight, 0, tokens)
        if places is None:
            self.register_buffer("places", sines())
        else:
            self.places = nn.Parameter(places * torch.randn(STEPS, WIDTH))
        self.times, self.wide, self.inplace = times, wide, inplace

    def forward(self, ids):
        h = self.table(ids) * self.times
        places = self.places.expand(len(ids), -1, -1) if self.wide else self.places
        if self.inplace:
            h += places
        else:
            h = h + places
        return self.head(torch.nn.functional.layer_norm(h, (WIDTH,))).transpose(1, 2)


def looked_at(*args, ids=None, **options):
    torch.manual_seed(0)
    ids = torch.randint(0, 50, (16, STEPS)) if ids is None else ids
    y = torch.randint(0, 50, ids.shape)
    return fanin.diagnose(Model(*args, **options), ids, y, loss="cross_entropy")


def found(*args, **options):
    return [(one.code, one.severity, one.where) for one in looked_at(*args, **options).findings]


@pytest.mark.parametrize("options", [{}, {"wide": True}, {"inplace": True}])
def test_positions_of_another_scale(options):
    assert found(0.02, 1.0, **options) == [("INP108", "warning", "table")]


@pytest.mark.parametrize("scale", [0.02, 1.0])
def test_positions_of_the_same_scale(scale):
    looked = looked_at(scale, scale)
    assert not looked.findings
    assert looked.vitals.layers[0].left.share == pytest.approx(0.5**0.5, abs=0.03)


def test_sines_are_an_info_and_the_papers_scale_is_none():
    assert found(0.02, None) == [("INP108", "info", "table")]
    assert not found(0.02, None, WIDTH**0.5)
    assert not found(1.0, None)


def test_examples_that_are_the_same_say_nothing():
    looked = looked_at(0.02, 1.0, ids=torch.arange(STEPS).expand(8, -1))
    assert looked.vitals.layers[0].left is None
