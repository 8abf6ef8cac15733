"""A module on the meta device gets memory, with its ties, and values for what no plan draws."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

from fanin.errors import FaninError

# What a parametrized tensor is computed from goes by the tensor's own name.
_PARAMETRIZED = re.compile(r"parametrizations\.(\w+)\.original\d*$")


def materialize(model: nn.Module, device: str | torch.device, drawn: set[str]) -> None:
    """Give every tensor on the meta device memory; layers reset what the plan does not draw.

    `Module.to_empty` would part tied tensors. Nothing is changed where something cannot be reset.

    Args:
        model: The module.
        device: Where the memory is.
        drawn: Names of the parameters that get their values afterwards.

    Raises:
        FaninError: A tensor is neither drawn nor reset by its layer.
    """
    undrawn = _check(model, drawn)
    made: dict[int, Any] = {}
    for layer in model.modules():
        for tensors in (layer._parameters, layer._buffers):
            for name, tensor in tensors.items():
                if tensor is not None and tensor.is_meta:
                    tensors[name] = made.setdefault(id(tensor), _empty(tensor, device))
    for layer in undrawn:
        layer.reset_parameters()


def _check(model: nn.Module, drawn: set[str]) -> list[Any]:
    """Return the layers with something that the plan does not draw, which they all can reset."""
    left = {
        path: [name for name in _own(path, layer) if name not in drawn]
        for path, layer in model.named_modules()
    }
    layers = {path: model.get_submodule(path) for path, names in left.items() if names}
    missing = [
        name for path in layers for name in left[path] if not hasattr(layers[path], "reset_parameters")
    ]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise FaninError(
            f"{', '.join(missing[:5])}{more} would be left without values on the meta device.",
            expected="a rule for each of them, or a layer with reset_parameters",
            fix="give them a rule in a Policy, or build the model on the CPU",
        )
    return list(layers.values())


def _own(path: str, layer: nn.Module) -> list[str]:
    """Return the full names of a layer's own tensors that have no values yet."""
    own = [*layer._parameters.items(), *layer._buffers.items()]
    names = [f"{path}.{name}" if path else name for name, t in own if t is not None and t.is_meta]
    return [_PARAMETRIZED.sub(r"\1", name) for name in names]


def _empty(tensor: torch.Tensor, device: str | torch.device) -> torch.Tensor:
    values = torch.empty_like(tensor, device=device)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(values, requires_grad=tensor.requires_grad)
    return values
