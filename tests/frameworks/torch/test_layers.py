"""Fans and gates of PyTorch's layers, by Monte Carlo on the layers themselves."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from fanin.frameworks.torch.inventory import inventory
from fanin.graph.fans import Fans, fans

SPATIAL = {
    "linear": (lambda: nn.Linear(48, 64, bias=False), (64, 48)),
    "conv1d": (lambda: nn.Conv1d(6, 24, 5, bias=False), (8, 6, 50)),
    "conv2d": (lambda: nn.Conv2d(6, 24, 3, bias=False), (8, 6, 20, 20)),
    "conv3d": (lambda: nn.Conv3d(4, 12, 3, bias=False), (4, 4, 10, 10, 10)),
    "grouped": (lambda: nn.Conv2d(12, 24, 3, groups=3, bias=False), (8, 12, 20, 20)),
    "depthwise": (lambda: nn.Conv2d(16, 32, 3, groups=16, bias=False), (8, 16, 20, 20)),
    "strided": (lambda: nn.Conv2d(6, 24, 3, stride=2, dilation=2, bias=False), (8, 6, 31, 31)),
    "transposed": (lambda: nn.ConvTranspose2d(256, 16, 3, padding=1, bias=False), (4, 256, 12, 12)),
    "transposed_2": (lambda: nn.ConvTranspose2d(64, 16, 4, 2, padding=1, bias=False), (4, 64, 16, 16)),
    "transposed_3": (lambda: nn.ConvTranspose1d(24, 12, 9, 3, groups=3, bias=False), (8, 24, 60)),
}


@pytest.mark.parametrize("name", SPATIAL)
def test_a_variance_of_one_over_fan_in_keeps_the_second_moment(name):
    make, shape = SPATIAL[name]
    layer = make()
    (parameter,) = inventory(layer).parameters
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator)
    ratios = []
    for _ in range(12):
        with torch.no_grad():
            layer.weight.normal_(0, math.sqrt(1 / fans(parameter).fan_in), generator=generator)
            y = layer(x)
        inner = y[(slice(None), slice(None), *(slice(4, -4) for _ in shape[2:] if name != "conv3d"))]
        ratios.append(float((inner**2).mean()))
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("name", SPATIAL)
def test_a_variance_of_one_over_fan_out_keeps_the_gradients_second_moment(name):
    make, shape = SPATIAL[name]
    layer = make()
    (parameter,) = inventory(layer).parameters
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, requires_grad=True)
    ratios = []
    for _ in range(12):
        with torch.no_grad():
            layer.weight.normal_(0, math.sqrt(1 / fans(parameter).fan_out), generator=generator)
        y = layer(x)
        (gradient,) = torch.autograd.grad(y, x, torch.randn(y.shape, generator=generator))
        inner = gradient[(slice(None), slice(None), *(slice(4, -4) for _ in shape[2:]))]
        # With a stride of 2 on both axes an input reaches a quarter of the outputs on average.
        ratios.append(float((inner**2).mean()) * (4 if name == "strided" else 1))
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)


def by_name(model):
    return {parameter.name: parameter for parameter in inventory(model).parameters}


def test_gates_are_matrices_of_their_own():
    lstm = by_name(nn.LSTM(5, 16, num_layers=2, bidirectional=True, proj_size=7))
    assert fans(lstm["weight_ih_l0"]) == Fans(5, 16)
    assert fans(lstm["weight_hh_l0"]) == Fans(7, 16)
    assert fans(lstm["weight_hr_l0_reverse"]) == Fans(16, 7)
    assert lstm["weight_hh_l1_reverse"].kind == "recurrent"
    assert lstm["bias_ih_l0"].gate_names == ("input", "forget", "cell", "output")
    assert lstm["bias_hh_l0"].gate_names == ()
    assert by_name(nn.GRUCell(5, 16))["weight_ih"].gates == 3
    assert by_name(nn.RNN(5, 16))["weight_ih_l0"].gates == 1


def test_the_order_of_the_gates_is_pytorchs():
    """The gate that is called "forget" is the one that lets the cell's state through."""
    cell = nn.LSTMCell(3, 4)
    gates = by_name(cell)["bias_ih"].gate_names
    with torch.no_grad():
        for tensor in cell.parameters():
            tensor.zero_()
        for name, size in (("forget", 20.0), ("input", -20.0)):
            place = gates.index(name)
            cell.bias_ih[4 * place : 4 * place + 4] = size
        _, state = cell(torch.zeros(1, 3), (torch.zeros(1, 4), torch.full((1, 4), 0.7)))
    torch.testing.assert_close(state, torch.full((1, 4), 0.7))


def test_packed_and_unpacked_attention():
    packed = by_name(nn.MultiheadAttention(16, 2))
    assert fans(packed["in_proj_weight"]) == Fans(16, 16)
    assert packed["in_proj_weight"].roles == ("query", "key", "value")
    apart = by_name(nn.MultiheadAttention(16, 2, kdim=5, vdim=6, add_bias_kv=True))
    assert [fans(apart[f"{n}_proj_weight"]).fan_in for n in "qkv"] == [16, 5, 6]
    assert apart["bias_k"].kind == "bias"
    assert packed["out_proj.weight"].kind == "kernel"


def test_embeddings_norms_and_bilinear():
    model = nn.ModuleDict(
        {"table": nn.Embedding(9, 4, padding_idx=2), "norm": nn.GroupNorm(2, 4), "both": nn.Bilinear(3, 4, 5)}
    )
    found = by_name(model)
    assert found["table.weight"].padding == 2
    assert found["table.weight"].roles == ("embedding",)
    assert found["norm.weight"].kind == "norm"
    assert fans(found["both.weight"]) == Fans(12, 5)
