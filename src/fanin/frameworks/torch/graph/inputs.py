"""Example inputs: made from shapes, and checked before a model is traced with them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten_with_path

from fanin.errors import FaninError


def example(shape: Sequence[int], dtype: torch.dtype = torch.float32, *, like: nn.Module) -> torch.Tensor:
    """Return a tensor of zeros on a module's device.

    Args:
        shape: Its shape.
        dtype: Its type; an integer one for ids.
        like: The module that will be called with it.

    Example:
        >>> example((2, 3), like=nn.Linear(3, 4, device="meta")).device.type
        'meta'
    """
    return torch.zeros(tuple(shape), dtype=dtype, device=device_of(like))


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a module's first tensor, or meta where any is on it; the CPU without any."""
    devices = [tensor.device for tensor in (*model.parameters(), *model.buffers())]
    meta = next((device for device in devices if device.type == "meta"), None)
    return meta or (devices[0] if devices else torch.device("cpu"))


def checked(
    model: nn.Module, inputs: tuple[Any, ...] | Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments and named arguments, on the device that the model is on.

    Raises:
        FaninError: There is no tensor among them, or floats are given for the ids of a table.
    """
    if isinstance(inputs, torch.Tensor):
        inputs = (inputs,)
    named = dict(inputs) if isinstance(inputs, Mapping) else {}
    args = tuple(inputs) if isinstance(inputs, list | tuple) else ()
    tensors = [value for value in (*args, *named.values()) if isinstance(value, torch.Tensor)]
    if not tensors:
        raise FaninError(
            f"There is no example input for {type(model).__name__}.",
            expected="a tuple of tensors, such as (torch.zeros(8, 3, 224, 224),)",
        )
    return tuple(_placed(model, value) for value in args), {k: _placed(model, v) for k, v in named.items()}


def _placed(model: nn.Module, value: Any) -> Any:
    """Return a tensor on the meta device where the model is there, which real ones do not go with."""
    if not isinstance(value, torch.Tensor):
        return value
    meta = device_of(model).type == "meta"
    return value.to("meta") if meta and not value.is_meta else value


def input_names(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[str]:
    """Return what a module's code calls each tensor that it is called with, in their order.

    Example:
        >>> input_names(nn.Bilinear(2, 3, 4), (torch.zeros(2), torch.zeros(3)), {})
        ['input1', 'input2']
    """
    parameters = list(inspect.signature(model.forward).parameters.values())
    plain = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL][: len(args)]
    names = plain + [f"input_{place}" for place in range(len(plain), len(args))]
    leaves, _ = tree_flatten_with_path((dict(zip(names, args, strict=True)), dict(kwargs)))
    return [
        "_".join(str(getattr(key, "key", getattr(key, "idx", ""))) for key in path[1:])
        for path, leaf in leaves
        if isinstance(leaf, torch.Tensor)
    ]
