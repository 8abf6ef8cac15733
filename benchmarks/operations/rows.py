"""Rows of the table of operations: each one by itself, in a network that is otherwise known."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as f

from benchmarks.operations import nets
from benchmarks.operations.nets import CHANNELS, WIDTH, Branches, Function, Skip, between
from benchmarks.propagation.rows import Goals, Row

NETWORKS, OF_TEXTS, OF_SUMS = 1200, 3000, 12000
"""So many that chance is about .3 percent for a bias, whose gradients are fewest; of texts they vary more, and most of
sums over texts, which all channels share."""
_GOALS = Goals(0.01, 0.01, gradients=0.01)
_VALUES, _TEXT, _IMAGE = (16, WIDTH), (4, 16, CHANNELS), (3, CHANNELS, 6, 6)
Make = Callable[[], nn.Module]
Map = Callable[[torch.Tensor], torch.Tensor]


def _row(name: str, build: Make, inputs: Any, **options: Any) -> Row:
    """Return a row whose weights are predicted from what initializers declare."""

    def on_meta() -> nn.Module:
        with torch.device("meta"):
            return build()

    given = {"networks": NETWORKS, "predicted": on_meta, **options}
    return Row(name, build, inputs, "before|op|after", _GOALS, **given)


def _of_values(name: str, make: Make, **options: Any) -> Row:
    def build() -> nn.Module:
        return between(nn.Linear(WIDTH, WIDTH), make(), nn.Linear(WIDTH, WIDTH))

    return _row(name, build, _VALUES, **options)


def _of_text(name: str, make: Make, read: int = CHANNELS, networks: int = OF_TEXTS) -> Row:
    def build() -> nn.Module:
        return between(nn.Linear(CHANNELS, CHANNELS), make(), nn.Linear(read, CHANNELS))

    return _row(name, build, _TEXT, networks=networks)


def _of_image(name: str, make: Make, **options: Any) -> Row:
    def build() -> nn.Module:
        return between(nn.Conv2d(CHANNELS, CHANNELS, 1), make(), nn.Conv2d(CHANNELS, CHANNELS, 1))

    return _row(name, build, _IMAGE, **options)


def _function(function: Map) -> Make:
    return partial(Function, function)


_branches = partial(partial, Branches, WIDTH)
_ACTIVATIONS = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Tanh,
    nn.Sigmoid,
    nn.Softplus,
    nn.Hardswish,
    nn.Hardtanh,
)
_CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "": {"padding": 1},
    ", stride 2": {"padding": 1, "stride": 2},
    ", dilated": {"padding": 2, "dilation": 2},
    ", 4 groups": {"padding": 1, "groups": 4},
    ", depthwise": {"padding": 1, "groups": CHANNELS},
}
_IN_VALUES = [
    _of_values("linear", partial(nn.Linear, WIDTH, WIDTH)),
    *(_of_values(layer.__name__, layer) for layer in _ACTIVATIONS),
    _of_values("x sigmoid(1.702 x)", _function(lambda x: x * torch.sigmoid(1.702 * x))),
    _of_values("relu(x)²", _function(lambda x: f.relu(x).square())),
    _of_values("add", _branches(torch.add)),
    _of_values("multiply", _branches(torch.multiply)),
    _of_values("GLU", _branches(lambda x, y: x * torch.sigmoid(y))),
    _of_values("SwiGLU", _branches(lambda x, y: x * f.silu(y))),
    _of_values("concat, slice", _branches(lambda x, y: torch.cat([x, y], -1)[..., ::2])),
    _of_values("split", _function(lambda x: torch.cat(x.chunk(2, -1)[::-1], -1))),
    _of_values("skip", lambda: Skip(nn.Sequential(nn.ReLU(), nn.Linear(WIDTH, WIDTH)))),
    _of_values("skip, LayerScale .1", lambda: Skip(nn.Sequential(nn.ReLU(), nn.Linear(WIDTH, WIDTH)), 0.1)),
    _of_values("skip, LayerScale 0", lambda: Skip(nn.Linear(WIDTH, WIDTH), 0.0)),
    _of_values("LoRA", partial(nets.LoRA, WIDTH)),
    _of_values("dropout", nn.Dropout, train=True),
    _of_values("LayerNorm", partial(nn.LayerNorm, WIDTH)),
    _of_values("RMSNorm", partial(nn.RMSNorm, WIDTH)),
    _of_values("BatchNorm1d, train", partial(nn.BatchNorm1d, WIDTH), train=True),
    _of_values("softmax", partial(nn.Softmax, -1)),
    _of_values("tanh, cross-entropy", nn.Tanh, loss="cross_entropy"),
    _of_values("tanh, binary cross-entropy", nn.Tanh, loss="binary_cross_entropy"),
    _of_values("tanh, mean squared error", nn.Tanh, loss="mse"),
]
_IN_IMAGES = [
    *(
        _of_image(f"Conv2d 3 × 3{name}", partial(nn.Conv2d, CHANNELS, CHANNELS, 3, **options))
        for name, options in _CONVOLUTIONS.items()
    ),
    _of_image("ConvTranspose2d 4 × 4, stride 2", partial(nn.ConvTranspose2d, CHANNELS, CHANNELS, 4, 2, 1)),
    _of_image("GroupNorm", partial(nn.GroupNorm, 4, CHANNELS)),
    _of_image("InstanceNorm2d", partial(nn.InstanceNorm2d, CHANNELS)),
    _of_image("BatchNorm2d, train", partial(nn.BatchNorm2d, CHANNELS), train=True),
    _of_image("BatchNorm2d, eval", partial(nn.BatchNorm2d, CHANNELS)),
    _of_image(
        "ReLU, BatchNorm2d, train", lambda: nn.Sequential(nn.ReLU(), nn.BatchNorm2d(CHANNELS)), train=True
    ),
    _of_image("AvgPool2d 2", partial(nn.AvgPool2d, 2)),
    _of_image("MaxPool2d 2", partial(nn.MaxPool2d, 2)),
    _of_image("ReLU, MaxPool2d 3, stride 2", lambda: nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2, 1))),
    _of_image("ReLU, mean of an image", lambda: nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1))),
    _of_image("pixel shuffle and back", _function(lambda x: f.pixel_unshuffle(f.pixel_shuffle(x, 2), 2))),
]
_IN_TEXTS = [
    _of_text("attention", partial(nets.attention, causal=False)),
    _of_text("attention, causal", partial(nets.attention, causal=True)),
    _of_text("attention, RoPE, 2 keys for 8 heads", partial(nets.Grouped, CHANNELS, 8, 2)),
    _of_text("mean over positions", _function(lambda x: torch.tanh(x).mean(1))),
    _of_text("largest over positions", _function(lambda x: torch.tanh(x).amax(1))),
    _of_text("linear over positions", partial(nets.Mixing, 16), networks=OF_SUMS),
    _of_text("softmax over positions", partial(nn.Softmax, 1)),
    _of_text("positions to channels", _function(lambda x: x.flatten(1)), read=16 * CHANNELS),
    *(
        _of_text(layer.__name__, partial(nets.Outputs, layer, CHANNELS))
        for layer in (nn.RNN, nn.LSTM, nn.GRU)
    ),
    _row("embedding, tied head", partial(nets.Tied, 1000, CHANNELS), "4x16:tokens(1000)"),
]
OPERATIONS = [*_IN_VALUES, *_IN_IMAGES, *_IN_TEXTS]
