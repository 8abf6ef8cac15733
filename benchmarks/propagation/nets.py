"""PyTorch models of the table that no library has, as their users write them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

Place = Literal["pre", "post"]
"""Where the norms of a block are: before its branches, or after they are added."""


def mlp(activation: type[nn.Module], width: int, depth: int = 10) -> nn.Sequential:
    """Return `depth` square layers, an activation after each."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number in range(depth):
        layers[f"fc{number}"] = nn.Linear(width, width)
        layers[f"act{number}"] = activation()
    return nn.Sequential(layers)


def cnn(channels: int = 64) -> nn.Sequential:
    """Return eight convolutions with strides, groups and pools, and a classifier."""
    plan = [(3, 1, 1), (channels, 1, 1), (channels, 2, 1), (2 * channels, 1, 2), (2 * channels, 1, 1)]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (read, stride, groups) in enumerate(plan):
        made = channels if number < 2 else 2 * channels
        layers[f"conv{number}"] = nn.Conv2d(read, made, 3, stride, padding=1, groups=groups)
        layers[f"act{number}"] = nn.ReLU()
    layers["pool"] = nn.MaxPool2d(2)
    for number in range(5, 8):
        layers[f"conv{number}"] = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)
        layers[f"act{number}"] = nn.ReLU()
    layers |= {"mean": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "fc": nn.Linear(2 * channels, 10)}
    return nn.Sequential(layers)


class Attention(nn.Module):
    """Attention of several heads, each of its four matrices a layer."""

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (batch, time, width)."""
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        y = scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and two layers around a GELU, each added to the stream."""

    def __init__(self, width: int, heads: int, *, norms: Place, causal: bool) -> None:
        super().__init__()
        self.norms = norms
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads, causal=causal)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (batch, time, width)."""
        if self.norms == "pre":
            x = x + self.attention(self.norm1(x))
            return x + self.mlp(self.norm2(x))
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.mlp(x))


class Transformer(nn.Module):
    """Tokens and positions, blocks, and a last norm; weights of variance 1 / fan_in.

    Args:
        norms: Where the norms are.
        causal: Whether a token sees only those before it.
        width: Of the stream.
        heads: Of each attention.
        depth: Blocks.
        words: Tokens that there are.
        context: Tokens at most in a text.
    """

    def __init__(
        self,
        norms: Place = "pre",
        *,
        causal: bool = False,
        width: int = 256,
        heads: int = 4,
        depth: int = 6,
        words: int = 1000,
        context: int = 64,
    ) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(words, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads, norms=norms, causal=causal) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
                nn.init.zeros_(layer.bias)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the normalized stream, (batch, time, width)."""
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        return self.norm(self.blocks(x))


class Recurrent(nn.Module):
    """Recurrent layers one above the other.

    Args:
        layer: nn.LSTM or nn.GRU.
        width: Inputs and units of every layer.
        depth: Layers.
    """

    def __init__(self, layer: type[nn.LSTM | nn.GRU], width: int = 256, depth: int = 3) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layer(width, width, batch_first=True) for _ in range(depth))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last layer's outputs, (batch, time, width)."""
        for layer in self.layers:
            x, _ = layer(x)
        return x


class Cells(nn.Module):
    """A loop that is written out: one GRU cell, called for each step.

    Args:
        width: Inputs and units of the cell.
    """

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.cell = nn.GRUCell(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last state, (batch, width)."""
        state = x.new_zeros(len(x), self.cell.hidden_size)
        for step in x.unbind(1):
            state = self.cell(step, state)
        return state


class Shared(nn.Module):
    """A residual block that is used again and again.

    Args:
        width: Of the stream.
        times: How often.
    """

    def __init__(self, width: int = 256, times: int = 8) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 512), nn.Linear(512, width)
        self.times = times

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the stream, (batch, width)."""
        for _ in range(self.times):
            x = x + self.down(torch.relu(self.up(self.norm(x))))
        return x
