"""SIREN: the paper's bounds, and signals that stay."""

import math

import pytest
import torch
from scipy.optimize import brentq
from torch import nn

import fanin
from fanin.errors import FaninError
from fanin.schemes.distributions import Uniform


class Sine(nn.Module):
    def forward(self, x):
        return torch.sin(30 * x)


def test_siren_tells_the_first_layer_from_the_others():
    plan = fanin.plan(
        nn.Sequential(nn.Linear(2, 64), Sine(), nn.Linear(64, 64), Sine(), nn.Linear(64, 3)), "siren"
    )
    assert plan["0.weight"].distribution == Uniform(-0.5, 0.5)
    bound = math.sqrt(6 / 64) / 30
    assert plan["2.weight"].distribution == plan["4.weight"].distribution == Uniform(-bound, bound)


def test_sirens_signals_stay():
    """At great width the variance of 30 x goes to v = 2 Var sin(N(0, v)) = 1 - exp(-2 v)."""
    layers = [nn.Linear(2, 512), Sine()]
    for _ in range(7):
        layers += [nn.Linear(512, 512), Sine()]
    model = fanin.initialize(nn.Sequential(*layers), "siren", seed=1)
    x = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    v = brentq(lambda v: 1 - math.exp(-2 * v) - v, 0.1, 2)
    with torch.no_grad():
        assert float((30 * model[:-1](x)).var()) == pytest.approx(v, rel=0.1)


class Untraceable(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)

    def forward(self, x):
        return self.fc(x) if x.sum() > 0 else x


def test_siren_does_not_guess_the_first_layer():
    with pytest.raises(FaninError, match=r"Whether fc\.weight is the first layer is not known"):
        fanin.plan(Untraceable(), "siren")
