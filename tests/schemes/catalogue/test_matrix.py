"""Schemes of whole matrices, on real layers."""

import math

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import nn

import fanin
from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import HadamardIdentity
from fanin.schemes.draw import draw
from fanin.schemes.moments import second_moment


def weight(layer, scheme, seed=0):
    return fanin.initialize(layer, scheme, seed=seed).weight.detach().numpy()


SECOND_MOMENTS = [
    (nn.Linear(60, 90), "scaled_orthogonal", 1 / 60),
    (nn.Linear(90, 60), "scaled_orthogonal(gain=2)", 4 / 90),
    (nn.Conv2d(12, 20, 3), "delta_orthogonal", 1 / (20 * 9)),
    (nn.Linear(300, 200), "sparse", 15 / 300),
    (nn.Linear(300, 200), "sparse(count=30, stddev=0.1)", 0.01 * 30 / 300),
    (nn.Conv2d(16, 64, 3), "icnr", 2 / (16 * 9)),
    (nn.Linear(64, 64), "hadamard", 1 / 64),
    (nn.Linear(64, 40), "hadamard", 1 / 64),
    (nn.Linear(40, 100), "hadamard", 1 / 128),
    (nn.Conv2d(8, 8, 3), "dirac", 1 / (8 * 9)),
]


@pytest.mark.parametrize(("layer", "scheme", "expected"), SECOND_MOMENTS, ids=str)
def test_second_moments_are_those_of_the_formula(layer, scheme, expected):
    values = np.stack([weight(layer, scheme, seed) for seed in range(4)]).astype(float)
    tolerance = 6 * (values**2).std() / math.sqrt(values.size) + 1e-7
    assert (values**2).mean() == pytest.approx(expected, abs=tolerance)
    assert fanin.plan(layer, scheme)["weight"].sd ** 2 == pytest.approx(expected)


def test_a_wider_layer_keeps_the_mean_square_of_its_inputs():
    x = torch.randn(500, 40)
    for outputs in (40, 90):
        layer = fanin.initialize(nn.Linear(40, outputs), "scaled_orthogonal")
        assert float((layer(x) ** 2).mean()) == pytest.approx(float((x**2).mean()), rel=1e-5)


def test_delta_orthogonal_convolutions_keep_lengths():
    """Also where a layer narrows, which JAX's refuses."""
    layer = fanin.initialize(nn.Conv2d(16, 24, 3, padding=1, padding_mode="circular"), "delta_orthogonal")
    x = torch.randn(2, 16, 8, 8)
    assert float((layer(x) ** 2).sum()) == pytest.approx(float((x**2).sum()), rel=1e-5)
    assert fanin.initialize(nn.Conv2d(24, 16, 3), "delta_orthogonal").weight.shape == (16, 24, 3, 3)


class TestICNR:
    def test_sub_pixels_are_alike_after_torchs_shuffle(self):
        layer = fanin.initialize(nn.Conv2d(8, 12 * 9, 3, padding=1), "icnr(upscale=3)", seed=2)
        shuffled = nn.PixelShuffle(3)(layer(torch.randn(2, 8, 6, 6)))
        blocks = shuffled.reshape(2, 12, 6, 3, 6, 3)
        assert torch.allclose(blocks, blocks[:, :, :, :1, :, :1].expand_as(blocks), atol=1e-6)
        assert float(blocks.std()) > 0.1

    def test_sub_pixels_are_alike_after_tensorflows_shuffle(self):
        kernel = Parameter("k", (3, 3, 8, 12 * 4), "kernel", ("tap", "tap", "in", "out"))
        plan = fanin.schemes.icnr(order="block_first").decide(kernel).distribution
        values = draw(plan, kernel, 7).reshape(3, 3, 8, 4, 12)  # depth_to_space reads (block, channel)
        np.testing.assert_array_equal(values, np.broadcast_to(values[:, :, :, :1], values.shape))
        assert values[..., 0, 0].std() > 0

    def test_what_is_no_such_convolution_is_refused(self):
        with pytest.raises(FaninError, match="icnr is for convolutions"):
            fanin.plan(nn.Linear(4, 4), "icnr")
        with pytest.raises(FaninError, match="which are no 4 copies"):
            fanin.initialize(nn.Conv2d(4, 6, 3), "icnr")


class TestHadamard:
    def test_a_widening_layer_is_a_part_of_hadamards_matrix(self):
        values = weight(nn.Linear(5, 7), "ZerO")
        np.testing.assert_allclose(values, linalg.hadamard(8)[:7, :5] / math.sqrt(8), rtol=1e-6)

    def test_powers_of_two_keep_lengths(self):
        values = weight(nn.Linear(16, 32), "hadamard")
        np.testing.assert_allclose(values.T @ values, np.eye(16), atol=1e-6)

    def test_nothing_depends_on_the_seed(self):
        np.testing.assert_array_equal(*(weight(nn.Linear(5, 7), "hadamard", seed) for seed in (0, 1)))

    def test_one_unit(self):
        kernel = Parameter("k", (1, 1), "kernel", ("out", "in"))
        assert draw(HadamardIdentity(3.0), kernel, 0) == 3
        assert second_moment(HadamardIdentity(3.0), kernel) == 9
