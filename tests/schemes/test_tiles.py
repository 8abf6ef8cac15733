"""Orthogonal matrices over taps whose patches tile the image: a strided convolution keeps lengths."""

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import TiledOrthogonal
from fanin.schemes.matrices import matrices
from fanin.schemes.moments import second_moment

LAYERS = {
    "stride 1": nn.Conv2d(8, 8, 3, padding=1, bias=False),
    "stride 2": nn.Conv2d(4, 16, 3, stride=2, padding=1, bias=False),
    "stride 2, 5 taps": nn.Conv1d(4, 8, 5, stride=2, padding=2, bias=False),
    "groups": nn.Conv2d(8, 8, 3, padding=1, groups=2, bias=False),
    "transposed": nn.ConvTranspose2d(16, 4, 4, stride=2, padding=1, bias=False),
    "transposed, groups": nn.ConvTranspose2d(8, 8, 3, padding=1, groups=2, bias=False),
}


@pytest.mark.parametrize("name", LAYERS)
def test_lengths_are_kept_exactly_up_to_the_borders(name):
    layer = LAYERS[name]
    fanin.initialize(layer, TiledOrthogonal(1.0), seed=2)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, layer.in_channels, *[8] * (layer.weight.ndim - 2), generator=generator)
    with torch.no_grad():
        assert float((layer(x) ** 2).sum()) == pytest.approx(float((x**2).sum()), rel=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_the_second_moment(name):
    plan = fanin.plan(LAYERS[name], TiledOrthogonal(1.5))
    w = fanin.apply(plan, LAYERS[name]).weight.detach().numpy()
    assert np.mean(w**2) == pytest.approx(
        second_moment(TiledOrthogonal(1.5), plan["weight"].parameter), rel=1e-5
    )


@pytest.mark.parametrize(
    ("pads", "places"), [((), [4, 5, 7, 8]), ((0, 0), [0, 1, 3, 4]), ((1, 0), [3, 4, 6, 7])]
)
def test_tiles_begin_behind_the_padding_where_it_is_known(pads, places):
    kernel = Parameter("conv", (3, 3, 4, 8), "kernel", ("tap", "tap", "in", "out"), strides=(2, 2), pads=pads)
    assert matrices(kernel).tile == places
