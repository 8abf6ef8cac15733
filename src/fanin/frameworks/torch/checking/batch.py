"""A batch: what a module is called with, and what it returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from fanin.errors import FaninError
from fanin.frameworks.torch.checking import units
from fanin.frameworks.torch.graph.exporting import tensors_of
from fanin.frameworks.vitals.inputs import FEWEST
from fanin.rules.vitals import Input

_OUTPUTS = ("logits", "out", "prediction_logits", "output", "last_hidden_state")


@dataclass(frozen=True)
class Batch:
    """A batch.

    Args:
        args: Inputs by place.
        kwargs: Inputs by name.
        target: What outputs are compared with; None where there is nothing.
        described: Whether the inputs are drawn, not the user's.
    """

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    target: Any = None
    described: bool = False

    @classmethod
    def of(cls, x: Any, y: Any = None, *, like: nn.Module, described: bool = False) -> Batch:
        """Return a batch from what a user has: tensors or arrays, in tuples, lists or mappings.

        Args:
            x: The inputs.
            y: The targets.
            like: The module, on whose device they are put.
            described: Whether the inputs are drawn.
        """
        device = next((p.device for p in like.parameters()), torch.device("cpu"))
        device = torch.device("cpu") if device.type == "meta" else device

        def moved(value: Any) -> Any:
            return as_tensor(value, device)

        if isinstance(x, Mapping):
            return cls((), {str(key): moved(value) for key, value in x.items()}, moved(y), described)
        packed = hasattr(x, "_fields")  # a named tuple, as a packed sequence is, is one input
        if isinstance(x, tuple | list) and not packed and any(hasattr(one, "shape") for one in x):
            return cls(tuple(map(moved, x)), {}, moved(y), described)
        return cls((moved(x),), {}, moved(y), described)

    @property
    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Names and values of the inputs that are tensors."""
        for name, value in (*enumerate(self.args), *self.kwargs.items()):
            if isinstance(value, torch.Tensor):
                yield str(name), value

    @property
    def examples(self) -> int:
        """Size of the batch."""
        return next((value.shape[0] for _, value in self.tensors if value.ndim), 1)

    def half(self) -> Batch:
        """Return the first half of the examples."""
        number, whole = max(self.examples // 2, 1), self.examples

        def cut(value: Any) -> Any:
            fits = isinstance(value, torch.Tensor) and value.ndim and value.shape[0] == whole
            return value[:number] if fits else value

        kwargs = {key: cut(value) for key, value in self.kwargs.items()}
        return Batch(tuple(map(cut, self.args)), kwargs, cut(self.target), self.described)

    def inputs(self) -> tuple[Input, ...]:
        """Return what rules need to know of the inputs."""
        values = (*enumerate(self.args), *self.kwargs.items())
        packed = ((str(name), one.data) for name, one in values if isinstance(one, PackedSequence))
        return tuple(self._input(name, value) for name, value in (*self.tensors, *packed))

    def _input(self, name: str, value: torch.Tensor) -> Input:
        spread, shape = units.spread(value), tuple(value.shape)
        if not value.is_floating_point():
            images = value.dtype == torch.uint8
            same = float(_is_same(value))
            return Input(name, shape, spread, constant=same, tokens=not images, described=self.described)
        features, constant = _features(value) if value.ndim == 2 else (None, float(_is_same(value)))
        zeros = units.zeros(units.dense(value))
        return Input(name, shape, spread, features, constant, described=self.described, zeros=zeros)


def _features(value: torch.Tensor) -> tuple[tuple[float, float] | None, float]:
    """Return the smallest and largest scale of features that vary, and the share of others."""
    if value.ndim != 2 or value.shape[0] < 2 or value.layout != torch.strided:
        return None, 0.0
    if not torch.isfinite(value).all():
        return None, 0.0
    sds = value.double().std(0, correction=0)
    varied = sds > 1e-12 * sds.max()
    if not varied.any():
        return None, 1.0
    scales = _scales(value[:, varied].double())
    constant = 1 - varied.double().mean().item()
    return ((scales.min().item(), scales.max().item()) if len(scales) else None), constant


def _is_same(value: torch.Tensor) -> bool:
    """Return whether all examples are the same."""
    several = value.layout == torch.strided and value.ndim > 0 and value.shape[0] > 1
    return several and bool((value == value[:1]).all())


def _scales(features: torch.Tensor) -> torch.Tensor:
    """Return the scale of each feature: its standard deviation, or what it is where it is not at rest.

    Args:
        features: (examples, features), each of which varies.
    """
    away = features - features.median(0).values
    count = (away != 0).sum(0)
    at_rest = 2 * count < len(features)
    lit = (away.square().sum(0) / count.clamp_min(1)).sqrt()
    scales = torch.where(at_rest, lit, features.std(0, correction=0))
    return scales[~at_rest | (count >= FEWEST)]


def as_tensor(value: Any, device: torch.device) -> Any:
    """Return an array as a tensor of the type that modules take; what is none, as it is."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if not hasattr(value, "__array__"):
        return value
    import numpy as np

    array = np.asarray(value)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    elif array.dtype.kind in "iu" and array.dtype != np.uint8:
        array = array.astype(np.int64)
    return torch.as_tensor(np.ascontiguousarray(array), device=device)


def main_output(result: Any, model: nn.Module) -> torch.Tensor:
    """Return the output that a loss compares: logits where there are some, else the first floating one.

    Raises:
        FaninError: The module returns no such tensor.
    """
    for name in _OUTPUTS:
        found = result.get(name) if isinstance(result, Mapping) else getattr(result, name, None)
        if isinstance(found, torch.Tensor) and found.is_floating_point():
            return found
    floating = [tensor for tensor in tensors_of(result) if tensor.is_floating_point()]
    if floating:
        return next((tensor for tensor in floating if tensor.ndim), floating[0])
    raise FaninError(
        f"{type(model).__name__} returns no tensor of floating numbers.",
        expected="a model that returns what it computes",
    )
