"""Each operation between two layers with weights, as PyTorch's users write it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as f

from benchmarks.propagation.nets import Attention

WIDTH = 512
"""Channels of a row of numbers; what finite width does is of the order of its inverse."""
CHANNELS = 256
"""Channels of an image, and of a text."""


def between(before: nn.Module, op: nn.Module, after: nn.Module) -> nn.Sequential:
    """Return an operation with a layer before it and one after."""
    return nn.Sequential(OrderedDict(before=before, op=op, after=after))


class Function(nn.Module):
    """A function of the signal, as a layer that a profile tells of.

    Args:
        function: From a tensor to a tensor.
    """

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the function of x."""
        return self.function(x)


class Branches(nn.Module):
    """Two layers that read the same signal, and what joins them.

    Args:
        width: Of the signal.
        join: From two signals to one.
    """

    def __init__(self, width: int, join: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.one, self.other, self.join = nn.Linear(width, width), nn.Linear(width, width), join

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return both layers' outputs, joined."""
        return self.join(self.one(x), self.other(x))


class Skip(nn.Module):
    """A signal and a branch of it that is scaled channel by channel.

    Args:
        branch: What is added.
        scale: The first scale of its channels; None for no scale.
    """

    def __init__(self, branch: nn.Module, scale: float | None = None) -> None:
        super().__init__()
        self.branch = branch
        self.scale = None if scale is None else nn.Parameter(torch.full((WIDTH,), scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        y = self.branch(x)
        return x + (y if self.scale is None else self.scale * y)


class LoRA(nn.Module):
    """A frozen layer with two of low rank beside it, the second one 0.

    Args:
        width: Of the signal.
        rank: Of what is learned.
    """

    def __init__(self, width: int, rank: int = 64) -> None:
        super().__init__()
        self.base = nn.Linear(width, width).requires_grad_(False)
        self.down, self.up = nn.Linear(width, rank, bias=False), nn.Linear(rank, width, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the layer's outputs with the update."""
        return self.base(x) + self.up(self.down(x))


class Outputs(nn.Module):
    """A recurrent layer's outputs, without its states.

    Args:
        layer: nn.RNN, nn.LSTM or nn.GRU.
        width: Inputs and units.
    """

    def __init__(self, layer: type[nn.RNN | nn.LSTM | nn.GRU], width: int) -> None:
        super().__init__()
        self.layer = layer(width, width, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (batch, time, width)."""
        return self.layer(x)[0]


class Grouped(nn.Module):
    """Attention with turned queries and keys, several heads to a key.

    Args:
        width: Of the signal.
        heads: Of the queries.
        keys: Heads of keys and values.
    """

    def __init__(self, width: int, heads: int, keys: int) -> None:
        super().__init__()
        self.heads, self.keys, size = heads, keys, width // heads
        self.query, self.out = (nn.Linear(width, width) for _ in range(2))
        self.key, self.value = (nn.Linear(width, keys * size) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (batch, time, width)."""
        q, k, v = (
            layer(x).unflatten(-1, (heads, -1)).transpose(1, 2)
            for layer, heads in ((self.query, self.heads), (self.key, self.keys), (self.value, self.keys))
        )
        y = f.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True, enable_gqa=True)
        return self.out(y.transpose(1, 2).flatten(2))


def turned(x: torch.Tensor) -> torch.Tensor:
    """Return (..., time, size) with pairs of channels turned by their position (RoFormer, equation 34)."""
    size = x.shape[-1]
    angles = torch.arange(x.shape[-2])[:, None] / 10000 ** (torch.arange(0, size, 2) / size)
    cosine, sine = (torch.cat([one, one], -1) for one in (angles.cos(), angles.sin()))
    low, high = x.chunk(2, -1)
    return x * cosine + torch.cat([-high, low], -1) * sine


class Tied(nn.Module):
    """A table of tokens whose rows are what the last layer multiplies by.

    Args:
        words: Rows of the table.
        width: Of the signal.
    """

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.before, self.op = nn.Embedding(words, width), nn.Linear(width, width)
        self.after = nn.Identity()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return logits, (batch, time, words)."""
        return self.after(torch.tanh(self.op(self.before(tokens))) @ self.before.weight.T)


class Mixing(nn.Module):
    """A layer over positions, the same for all channels.

    Args:
        positions: How many there are.
    """

    def __init__(self, positions: int) -> None:
        super().__init__()
        self.mix = nn.Linear(positions, positions)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (batch, time, width)."""
        return self.mix(x.transpose(1, 2)).transpose(1, 2)


def attention(*, causal: bool) -> Attention:
    """Return attention of four heads with its four matrices."""
    return Attention(CHANNELS, 4, causal=causal)
