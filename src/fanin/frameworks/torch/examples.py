"""Example inputs of a module: descriptions for tracing, values for running."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from fanin.frameworks.inputs import Inputs
from fanin.frameworks.sampling import drawn


def channel_axis(dimensions: int) -> int:
    """Return the axis of the channels of an input that does not say: PyTorch's images have them first."""
    return 1 if dimensions > 3 else -1


def values_of(inputs: Inputs, model: nn.Module, random: np.random.Generator, vocabulary: int) -> torch.Tensor:
    """Return an input with values, on the module's device; floating ones ask for a gradient.

    Args:
        inputs: What describes it.
        model: What it is for.
        random: Where values come from that are not given.
        vocabulary: How many tokens there are where the input does not say.
    """
    values = drawn(inputs, random, channel=channel_axis(len(inputs.shape)), vocabulary=vocabulary)
    made = torch.as_tensor(np.array(values), device=_like(model).device)
    made = made.to(_dtype(inputs, model))
    return made.requires_grad_(made.is_floating_point())


def described(inputs: Inputs, model: nn.Module) -> torch.Tensor:
    """Return an input that a module can be traced with: its data, or zeros."""
    if isinstance(inputs.data, torch.Tensor):
        return inputs.data
    return torch.zeros(inputs.shape, dtype=_dtype(inputs, model), device=_like(model).device)


def _dtype(inputs: Inputs, model: nn.Module) -> torch.dtype:
    """Return the type of an input: what the module computes with, where it does not say."""
    if isinstance(inputs.data, torch.Tensor):
        return inputs.data.dtype
    if inputs.tokens:
        return torch.bool if inputs.dtype == "bool" else torch.int64
    own = _like(model).dtype
    return own if inputs.dtype == "float32" and own.is_floating_point else getattr(torch, inputs.dtype)


def _like(model: nn.Module) -> torch.Tensor:
    tensors = [*model.parameters(), *model.buffers()]
    floating = (tensor for tensor in tensors if tensor.is_floating_point())
    return next(floating, torch.zeros(()))
