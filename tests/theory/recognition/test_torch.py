"""PyTorch modules that spell out what has a name: found again, with the same values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as f

from fanin.frameworks.torch.graph import signal_graph
from fanin.theory.recognition import recognize
from interpreter import interpret


class CausalAttention(nn.Module):
    """GPT-2's, by hand."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.register_buffer("mask", torch.tril(torch.ones(1, 1, 8, 8, dtype=torch.bool)))

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (y.view(b, t, 4, c // 4).transpose(1, 2) for y in self.qkv(x).split(c, dim=2))
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        scores = scores.masked_fill(~self.mask[:, :, :t, :t], float("-inf"))
        y = f.dropout(f.softmax(scores, dim=-1), 0.1, self.training) @ v
        return self.out(y.transpose(1, 2).contiguous().view(b, t, c))


class GroupedAttention(nn.Module):
    """Llama's: keys and values are repeated for groups of queries, the mask is added."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(16, 16), nn.Linear(16, 8), nn.Linear(16, 8)

    def forward(self, x):
        b, t, _ = x.shape
        q = self.q(x).view(b, t, 4, 4).transpose(1, 2)
        k, v = (layer(x).view(b, t, 2, 4).transpose(1, 2) for layer in (self.k, self.v))
        k, v = (y[:, :, None].expand(b, 2, 2, t, 4).reshape(b, 4, t, 4) for y in (k, v))
        mask = torch.full((t, t), -3e38).triu(1).expand(b, 1, t, t) + torch.zeros(b, 1, t, t)
        weights = torch.softmax(torch.matmul(q, k.transpose(2, 3)) / 2 + mask, dim=-1)
        return torch.matmul(weights, v).transpose(1, 2).reshape(b, t, 16)


class BiasedAttention(nn.Module):
    """T5's decoder: a table of relative places is the mask, where it does not hide what comes later."""

    def __init__(self):
        super().__init__()
        self.qkv, self.table = nn.Linear(16, 48), nn.Embedding(7, 4)

    def forward(self, x):
        t = x.shape[1]
        q, k, v = (y.unflatten(-1, (4, 4)).transpose(1, 2) for y in self.qkv(x).chunk(3, dim=-1))
        places = torch.arange(t)
        bias = self.table(places[None] - places[:, None] + 3).permute(2, 0, 1)[None]
        seen = torch.ones(t, t).tril().bool().expand(2, 1, t, t)
        mask = torch.where(seen, bias, torch.finfo(x.dtype).min)
        y = f.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)
        return y.transpose(1, 2).flatten(2)


class OneHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(16, 16) for _ in range(3))

    def forward(self, x):
        scores = torch.einsum("btd,bsd->bts", self.q(x), self.k(x)) / 4 + torch.zeros(1, 1, x.shape[1])
        return torch.einsum("bts,bsd->btd", scores.softmax(-1), self.v(x))


class RmsNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(16))

    def forward(self, x):
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)
        return self.weight * (x * scale)


class UnitLength(nn.Module):
    """As queries and keys of Swin v2, whose products are cosines."""

    def forward(self, x):
        return f.normalize(x.unflatten(-1, (4, 4)), dim=-1).flatten(2)


class LayerNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(16)), nn.Parameter(torch.rand(16))

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        variance = ((x - mean) ** 2).mean(-1, keepdim=True)
        return (x - mean) / torch.sqrt(variance + 1e-6) * self.weight + self.bias


class ChannelsFirst(nn.Module):
    """ConvNeXt's layer norm over the axis of channels."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(4)), nn.Parameter(torch.rand(4))

    def forward(self, x):
        x = x.view(2, 4, 8, 2)
        u = x.mean(1, keepdim=True)
        x = (x - u) / torch.sqrt((x - u).pow(2).mean(1, keepdim=True) + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class Activations(nn.Module):
    def forward(self, x):
        x = 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        x = x * torch.sigmoid(1.702 * x) + 0.1 * x.sum()
        x = x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0))) - x.mean()
        x = torch.relu(x) ** 2 + x.sum()
        return x * torch.tanh(torch.log1p(torch.exp(x)))


OPS = {
    CausalAttention: {"op": "attention", "causal": True, "heads": 4, "key_heads": 4, "scale": 0.5},
    GroupedAttention: {"op": "attention", "causal": True, "heads": 4, "key_heads": 2, "scale": 0.5},
    BiasedAttention: {"op": "attention", "causal": True, "heads": 4, "scale": 1.0},
    OneHead: {"op": "attention", "causal": False, "heads": 1, "scale": 0.25},
    RmsNorm: {"op": "norm", "kind": "rms", "eps": 1e-5, "slots": ("scale",)},
    UnitLength: {"op": "norm", "kind": "rms", "axes": (3,), "slots": ()},
    LayerNorm: {"op": "norm", "kind": "layer", "eps": 1e-6, "slots": ("scale", "offset")},
    ChannelsFirst: {"op": "norm", "kind": "layer", "axes": (1,), "slots": ("scale", "offset")},
}


@pytest.mark.parametrize("kind", [*OPS, Activations])
def test_what_is_found_computes_the_same(kind):
    torch.manual_seed(0)
    model, x = kind().eval(), torch.randn(2, 4, 16)
    found = recognize(signal_graph(model, (x,)))
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    expected = model(x).detach().numpy()
    np.testing.assert_allclose(interpret(found, weights, x.numpy())[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", OPS)
def test_each_is_one_node(kind):
    graph = recognize(signal_graph(kind().eval(), (torch.randn(2, 4, 16),)))
    (node,) = [node for node in graph if node.op == OPS[kind]["op"]]
    assert {"op": node.op, **{name: node[name] for name in OPS[kind] if name != "op"}} == OPS[kind]
    assert not [node for node in graph if node.op in ("softmax", "matmul", "reduce")]
    assert node.op != "attention" or len(node.inputs) == (4 if kind is BiasedAttention else 3)


def test_activations_have_their_names():
    graph = recognize(signal_graph(Activations(), (torch.randn(2, 4, 16),)))
    names = [node["function"] for node in graph if node.op == "elementwise"]
    assert [name for name in names if name not in ("add", "subtract", "multiply")] == [
        "gelu_tanh", "quick_gelu", "gelu", "squared_relu", "mish",
    ]  # fmt: skip


def test_a_layer_within_an_activation_stays_on_the_way():
    """As StarReLU has a ReLU inside: what reads its square reads the layer too."""

    class Squared(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu, self.out = nn.ReLU(), nn.Linear(16, 16)

        def forward(self, x):
            return self.out(self.relu(x) ** 2)

    graph = recognize(signal_graph(Squared(), (torch.randn(2, 16),)))
    names = [node["function"] for node in graph if node.op == "elementwise"]
    assert names == ["relu", "square"]
    assert graph.readers[graph.layers["relu"]]
