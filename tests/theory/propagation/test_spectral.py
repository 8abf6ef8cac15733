"""Weights over their largest singular value."""

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin.theory.propagation.draws import one_thread
from fanin.theory.propagation.spectral import largest


@pytest.mark.parametrize(("rows", "columns"), [(64, 256), (256, 64), (32, 64), (16, 27), (100, 100)])
def test_the_largest_singular_value(rows, columns):
    drawn = np.random.default_rng(0).normal(size=(200, rows, columns))
    tops = one_thread(np.linalg.svd)(drawn, compute_uv=False)[:, 0]
    assert largest(rows, columns) == pytest.approx(np.mean(tops), rel=0.01)


def test_of_orthogonal_rows():
    rows = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 16)))[0].T
    assert largest(16, 64, orthogonal=True) == pytest.approx(np.linalg.norm(rows * 8, 2))


@pytest.mark.parametrize("image", [False, True], ids=["dense", "convolution"])
@pytest.mark.parametrize("train", [False, True])
def test_models_with_spectral_norms(image, train):
    normed = nn.utils.parametrizations.spectral_norm

    def critic():
        if not image:
            return nn.Sequential(nn.Linear(64, 96), nn.ReLU(), normed(nn.Linear(96, 64)))
        return nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), normed(nn.Conv2d(32, 16, 3)))

    inputs = (8, 3, 10, 10) if image else (8, 64)
    predicted = fanin.propagate(critic, inputs=inputs, train=train)
    measured = fanin.measure(critic, inputs=inputs, seeds=20, train=train, progress=False)
    for name, layer in predicted.items():
        assert measured[name].forward.q.value == pytest.approx(layer.forward.q.value, rel=0.15)
        assert measured[name].backward.q.value == pytest.approx(layer.backward.q.value, rel=0.15)


def test_a_weight_over_another_number_stays():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.by = nn.Parameter(torch.randn(8, 8)), nn.Parameter(torch.tensor(2.0))

        def forward(self, x):
            return x @ (self.weight / self.by)

    assert fanin.propagate(Scaled(), inputs=(4, 8)) is not None
