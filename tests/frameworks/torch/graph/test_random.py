"""Models that draw random numbers."""

import pytest
import torch
from torch import nn

import fanin


@pytest.mark.parametrize(
    "drawn",
    [
        torch.randn_like,
        lambda x: torch.randn(x.shape),
        lambda x: torch.randn(x.shape[0], x.shape[1], device=x.device),
        lambda x: torch.normal(0.0, 1.0, size=x.shape),
        lambda x: torch.empty_like(x).normal_(),
    ],
    ids=["randn_like", "randn", "sizes", "normal", "normal_"],
)
def test_random_numbers(drawn):
    class Autoencoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.level, self.log, self.after = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 64)

        def forward(self, x):
            level, sd = self.level(x), torch.exp(self.log(x) / 2)
            return self.after(level + sd * drawn(sd))

    predicted = fanin.propagate(Autoencoder, inputs=(8, 64))
    measured = fanin.measure(Autoencoder, inputs=(8, 64), seeds=20, progress=False)
    for name, layer in predicted.items():
        assert layer.forward.q.value == pytest.approx(measured[name].forward.q.value, rel=0.12)
        assert layer.backward.q.value == pytest.approx(measured[name].backward.q.value, rel=0.2)
