"""What the parameters of PyTorch's own layers are: the meaning of every axis."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from torch import nn

from fanin.frameworks.names import is_called_norm
from fanin.graph.parameter import Axis, Kind, Parameter

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_RECURRENT = {"LSTM": ("input", "forget", "cell", "output"), "GRU": ("reset", "update", "new"), "RNN": ()}
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)

Own = dict[str, Any]
"""A layer's own tensors by name, parametrized ones by the name they are used under."""


def layer_parameters(layer: nn.Module, own: Own, path: str) -> dict[str, Parameter]:
    """Return what is known of a layer's own parameters, by their name in the layer.

    Args:
        layer: The layer.
        own: Its own tensors.
        path: Its path in the model.
    """
    described = _describe(layer, _Maker(layer, own, path))
    return {name: parameter for name, parameter in described if name in own and own[name] is not None}


class _Maker:
    """Makes the parameters of one layer."""

    def __init__(self, layer: nn.Module, own: Own, path: str) -> None:
        self.layer, self.own, self.path = layer, own, path

    def __call__(self, name: str, kind: Kind, axes: tuple[Axis, ...] = (), **more: Any) -> Any:
        tensor = self.own.get(name)
        shape = () if tensor is None else tuple(tensor.shape)
        full = f"{self.path}.{name}" if self.path else name
        return name, Parameter(full, shape, kind, axes, layer=type(self.layer).__name__, **more)

    def with_bias(self, axes: tuple[Axis, ...], **more: Any) -> Iterator[Any]:
        name, kernel = self("weight", "kernel", axes, **more)
        yield name, kernel
        yield self("bias", "bias", kernel=kernel)


def _describe(layer: nn.Module, make: _Maker) -> Iterator[tuple[str, Parameter]]:
    if isinstance(layer, nn.Linear):
        yield from make.with_bias(("out", "in"))
    elif isinstance(layer, nn.Bilinear):
        yield from make.with_bias(("out", "in", "in"))
    elif isinstance(layer, _CONVOLUTIONS):
        how = {"groups": layer.groups, "strides": tuple(layer.stride)}
        yield from make.with_bias(("out", "in", *_taps(layer)), **how)
    elif isinstance(layer, _TRANSPOSED):
        how = {"groups": layer.groups, "strides": tuple(layer.stride)}
        how |= {"stride": math.prod(layer.stride), "transposed": True}
        yield from make.with_bias(("in", "out", *_taps(layer)), **how)
    elif isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        padding = layer.padding_idx
        yield make("weight", "embedding", ("in", "out"), roles=("embedding",), padding=padding)
    elif isinstance(layer, nn.RNNBase | nn.RNNCellBase):
        yield from _recurrent(layer, make)
    elif isinstance(layer, nn.MultiheadAttention):
        yield from _attention(layer, make)
    elif isinstance(layer, _NORMS):
        yield from (make(name, "norm") for name in ("weight", "bias"))
    elif type(layer).__name__ == "Conv1D" and hasattr(layer, "nf"):
        yield from make.with_bias(("in", "out"))  # Hugging Face's: a Linear whose weight is (in, out)


def _taps(layer: Any) -> tuple[Axis, ...]:
    return ("tap",) * len(layer.kernel_size)


def _recurrent(layer: Any, make: _Maker) -> Iterator[tuple[str, Parameter]]:
    bases = [base.__name__ for base in type(layer).__mro__]  # the class itself may be a user's
    gates = next(names for kind, names in _RECURRENT.items() if any(b.startswith(kind) for b in bases))
    packed = {"gates": max(len(gates), 1), "gate_names": gates}
    for name in make.own:
        if name.startswith("weight_ih"):
            below = "" if "_l" not in name or "_l0" in name else type(layer).__name__
            yield make(name, "kernel", ("out", "in"), inputs=below, **packed)
        elif name.startswith("weight_hh"):
            yield make(name, "recurrent", ("out", "in"), roles=("recurrent",), **packed)
        elif name.startswith("weight_hr"):
            yield make(name, "recurrent", ("out", "in"), roles=("recurrent",))
        elif name.startswith("bias"):
            _, kernel = make(name.replace("bias", "weight"), "kernel", ("out", "in"), **packed)
            # The gates are given two biases that are added: only the first one is known by its gates, so
            # that what opens a gate is not counted twice.
            yield make(name, "bias", kernel=kernel, **(packed if name.startswith("bias_ih") else {}))


def _attention(layer: nn.MultiheadAttention, make: _Maker) -> Iterator[tuple[str, Parameter]]:
    names = ("query", "key", "value")
    packed = {"gates": 3, "gate_names": names}
    heads = layer.num_heads
    name, kernel = make("in_proj_weight", "kernel", ("out", "in"), roles=names, heads=heads, **packed)
    yield name, kernel
    yield make("in_proj_bias", "bias", kernel=kernel, **packed)
    for role in names:
        yield make(f"{role[0]}_proj_weight", "kernel", ("out", "in"), roles=(role,), heads=heads)
    for name in ("bias_k", "bias_v"):
        yield make(name, "bias")


def is_norm(layer: nn.Module) -> bool:
    """Return whether a layer normalizes its inputs: one of PyTorch's, or a layer that is called a norm.

    Example:
        >>> is_norm(nn.RMSNorm(3)), is_norm(nn.Linear(3, 3))
        (True, False)
    """
    if isinstance(layer, _NORMS):
        return True
    return is_called_norm(type(layer).__name__) and not any(True for _ in layer.children())
