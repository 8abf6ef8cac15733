"""How much second moments differ from one network to the next, against networks."""

import numpy as np
import pytest
import torch
from torch import nn

from theory.propagation.models import measured, predicted
from theory.propagation.simulation import one_thread

WIDTH, NETWORKS = 64, 300


class Stream(nn.Module):
    """Branches of two layers, each added to a stream."""

    def __init__(self, depth=4, norm=False):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) if norm else nn.Identity() for _ in range(depth))
        self.wide = nn.ModuleList(nn.Linear(WIDTH, 2 * WIDTH) for _ in range(depth))
        self.narrow = nn.ModuleList(nn.Linear(2 * WIDTH, WIDTH) for _ in range(depth))
        self.sums = nn.ModuleList(nn.Identity() for _ in range(depth))
        for layer in (*self.wide, *self.narrow):
            nn.init.normal_(layer.weight, 0, layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        for norm, wide, narrow, whole in zip(self.norms, self.wide, self.narrow, self.sums, strict=True):
            x = whole(x + narrow(torch.relu(wide(norm(x)))))
        return x


def _spread(values):
    return np.std(values, axis=0, ddof=1) / np.mean(values, axis=0)


@pytest.mark.parametrize("norm", [False, True], ids=["plain", "norms"])
def test_stream(norm):
    """What few channels make of a stream is on every branch that reads it."""

    def inputs():
        return torch.randn(8, 4, WIDTH)

    torch.manual_seed(0)
    _, profile = predicted(Stream(norm=norm), inputs())
    with one_thread():
        found = measured(lambda: Stream(norm=norm), inputs, seeds=NETWORKS)
    names = [f"narrow.{number}" for number in range(4)]
    places = [found.names.index(name) for name in names]
    for way, values in (("forward", found.forward), ("backward", found.backward)):
        estimates = [getattr(profile[name], way).q for name in names]
        bars = [one.chance / one.value for one in estimates]
        assert bars == pytest.approx(_spread(values[:, places]), rel=0.25), way
    for parameter in profile.parameters:
        if "norm" in parameter.name:
            continue
        one = parameter.gradient
        truth = _spread(found.parameters[parameter.name])
        assert one.chance / one.value == pytest.approx(truth, rel=0.3), parameter.name
