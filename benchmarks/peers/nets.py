"""The models of the table, as their users write them: random weights, nothing is downloaded."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention


def mlp(activation: type[nn.Module], depth: int, width: int = 512) -> nn.Sequential:
    """Return `depth` square layers with an activation between any two of them."""
    layers: list[nn.Module] = [nn.Linear(width, width)]
    for _ in range(depth - 1):
        layers += [activation(), nn.Linear(width, width)]
    return nn.Sequential(*layers)


def convolutional(channels: int = 16) -> nn.Sequential:
    """Return a convolutional trunk with groups, down by strides and up by transposed convolutions.

    Where the image is a quarter as large there are four times as many channels, so that no layer is forced
    by its shape to change either the signal or the gradient.
    """
    wide = 4 * channels
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, wide, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(wide, wide, 3, padding=1, groups=4),
        nn.ReLU(),
        nn.Conv2d(wide, wide, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(wide, wide, 3, padding=1, groups=8),
        nn.ReLU(),
        nn.ConvTranspose2d(wide, channels, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(channels, channels, 3, padding=1, groups=2),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1),
    )


class LSTMStack(nn.Module):
    """LSTM layers one above the other.

    Args:
        width: Inputs and units of every layer.
        depth: Layers.
    """

    def __init__(self, width: int = 256, depth: int = 4) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.LSTM(width, width, batch_first=True) for _ in range(depth))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last layer's outputs, (batch, time, width)."""
        for layer in self.layers:
            x, _ = layer(x)
        return x


class Attention(nn.Module):
    """Causal attention as in GPT-2."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (batch, time, width)."""
        parts = self.c_attn(x).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        y = scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two layers around a GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.act = nn.GELU(approximate="tanh")
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (batch, time, width)."""
        return self.c_proj(self.act(self.c_fc(x)))


class Block(nn.Module):
    """Attention and feed-forward, each normalized first and added to the stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(width), Attention(width, heads)
        self.ln_2, self.mlp = nn.LayerNorm(width), FeedForward(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (batch, time, width)."""
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2(nn.Module):
    """GPT-2's stack of blocks without its head, with the initialization of its paper.

    Args:
        words: Tokens that there are.
        context: Tokens at most in a text.
        width: Of the stream.
        heads: Of each attention.
        depth: Blocks.
    """

    def __init__(
        self, words: int = 1000, context: int = 128, width: int = 256, heads: int = 4, depth: int = 12
    ) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(words, width), nn.Embedding(context, width)
        self.h = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.ln_f = nn.LayerNorm(width)
        self.apply(_gpt2_weights)
        for name, weight in self.named_parameters():
            if name.endswith("c_proj.weight"):
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * depth))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the normalized stream, (batch, time, width)."""
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        for block in self.h:
            x = block(x)
        return self.ln_f(x)


def _gpt2_weights(layer: Any) -> None:
    if isinstance(layer, nn.Linear | nn.Embedding):
        nn.init.normal_(layer.weight, std=0.02)
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.bias)
