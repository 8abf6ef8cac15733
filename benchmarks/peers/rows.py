"""The rows of the table: a model, what it reads, and which of its outputs are neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from benchmarks.peers.nets import GPT2, LSTMStack, convolutional, mlp
from benchmarks.torchvision_on_cpu import allow_torchvision

allow_torchvision()
import timm  # noqa: E402
import torchvision  # noqa: E402

Chain = list[nn.Module]
"""Modules in the order in which they work; neighbours' outputs are compared."""


@dataclass(frozen=True)
class Row:
    """A model of the table.

    Args:
        name: What it is called.
        build: Makes it, with its own first weights.
        inputs: Makes a batch from a generator of random numbers.
        chains: Which of its modules' outputs are neighbours, like with like: layers that follow each other; or
            the stream after each block and, apart from it, what each block's branches add to it.
        call: What is run; by default the model itself.
    """

    name: str
    build: Callable[[], nn.Module]
    inputs: Callable[[torch.Generator], torch.Tensor]
    chains: Callable[[Any], list[Chain]]
    call: Callable[[Any, torch.Tensor], torch.Tensor] = lambda model, x: model(x)


def _normal(*shape: int) -> Callable[[torch.Generator], torch.Tensor]:
    return lambda generator: torch.randn(shape, generator=generator)


def _layers(*kinds: type[nn.Module]) -> Callable[[nn.Module], list[Chain]]:
    return lambda model: [[layer for layer in model.modules() if isinstance(layer, kinds)]]


def _resnet_chains(model: Any) -> list[Chain]:
    """Return the stream after each block, and the branches."""
    stages: Sequence[Any] = (model.layer1, model.layer2, model.layer3, model.layer4)
    blocks = [block for stage in stages for block in stage]
    return [blocks, [block.bn3 for block in blocks]]


def _vit_chains(model: Any) -> list[Chain]:
    blocks = list(model.blocks)
    return [[model.norm_pre, *blocks], [b.attn for b in blocks], [b.mlp for b in blocks]]


def _gpt2_chains(model: Any) -> list[Chain]:
    blocks = list(model.h)
    return [blocks, [b.attn for b in blocks], [b.mlp for b in blocks]]


def _mlp_rows() -> list[Row]:
    activations = {"ReLU": nn.ReLU, "GELU": nn.GELU, "SiLU": nn.SiLU, "tanh": nn.Tanh, "SELU": nn.SELU}
    return [
        Row(f"MLP, {depth} × 512, {name}", partial(mlp, layer, depth), _normal(64, 512), _layers(nn.Linear))
        for depth in (10, 50)
        for name, layer in activations.items()
    ]


def _vit() -> nn.Module:
    return timm.create_model("vit_small_patch16_224", img_size=64, num_classes=10)


def _vit_features(model: Any, x: torch.Tensor) -> torch.Tensor:
    return model.forward_features(x)


ROWS = [
    *_mlp_rows(),
    Row(
        "CNN: groups, strides, transposed",
        convolutional,
        _normal(4, 3, 32, 32),
        _layers(nn.Conv2d, nn.ConvTranspose2d),
    ),
    Row("LSTM, 4 × 256", LSTMStack, _normal(8, 32, 256), _layers(nn.LSTM)),
    Row("ResNet-50, 8 × 48²", torchvision.models.resnet50, _normal(8, 3, 48, 48), _resnet_chains),
    Row("ViT-S/16, 4 × 64²", _vit, _normal(4, 3, 64, 64), _vit_chains, _vit_features),
    Row(
        "GPT-2, 12 × 256, 4 × 32 tokens",
        GPT2,
        lambda generator: torch.randint(1000, (4, 32), generator=generator),
        _gpt2_chains,
    ),
]
