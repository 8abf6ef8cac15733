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

    `Module.to_empty` would part tied tensors. A layer without `reset_parameters` is left to the
    `_init_weights` of a model around it, as Hugging Face has it. Nothing is changed where something cannot
    be reset.

    Args:
        model: The module.
        device: Where the memory is.
        drawn: Names of the parameters that get their values afterwards.

    Raises:
        FaninError: A tensor is neither drawn nor reset by its layer.
    """
    left = _left(model, drawn)
    resets = {path: _reset_of(path, model) for path in left}
    _refuse([name for path, names in left.items() if not resets[path] for name in names])
    old = _make(model, device)
    for path, reset in resets.items():
        layer = model.get_submodule(path)
        _spoil(layer, left[path], path)
        reset(layer)
    spoilt = [name for path, names in left.items() for name in names if _is_spoilt(model, name)]
    if spoilt:
        for tensors, name, tensor in old:
            tensors[name] = tensor
        _refuse(spoilt)


def _make(model: nn.Module, device: str | torch.device) -> list[tuple[dict[str, Any], str, Any]]:
    """Give every tensor memory; return what was there, and where."""
    made: dict[int, Any] = {}
    old: list[tuple[dict[str, Any], str, Any]] = []
    for layer in model.modules():
        for tensors in (layer._parameters, layer._buffers):
            for name, tensor in tensors.items():
                if tensor is not None and tensor.is_meta:
                    old.append((tensors, name, tensor))
                    tensors[name] = made.setdefault(id(tensor), _empty(tensor, device))
    return old


def _left(model: nn.Module, drawn: set[str]) -> dict[str, list[str]]:
    """Return the names of what the plan does not draw, by the path of the layer."""
    names = {
        path: [name for name in _own(path, layer) if name not in drawn]
        for path, layer in model.named_modules()
    }
    return {path: found for path, found in names.items() if found}


def _reset_of(path: str, model: nn.Module) -> Any:
    """Return what resets a layer, a function of it; None if nothing does."""
    if hasattr(model.get_submodule(path), "reset_parameters"):
        return lambda layer: layer.reset_parameters()
    parts = path.split(".")
    around = (model.get_submodule(".".join(parts[:n])) for n in range(len(parts), -1, -1))
    return next((hook for outer in around if (hook := getattr(outer, "_init_weights", None))), None)


def _spoil(layer: nn.Module, names: list[str], path: str) -> None:
    """Fill tensors with nan, so that it shows which of them nobody gives a value."""
    for name in names:
        tensor = getattr(layer, name.removeprefix(f"{path}."), None)
        if tensor is not None and tensor.is_floating_point():
            tensor.detach().fill_(torch.nan)


def _is_spoilt(model: nn.Module, name: str) -> bool:
    path, _, own = name.rpartition(".")
    tensor = getattr(model.get_submodule(path), own)
    return tensor.is_floating_point() and bool(tensor.isnan().any())


def _refuse(missing: list[str]) -> None:
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise FaninError(
            f"{', '.join(missing[:5])}{more} would be left without values on the meta device.",
            expected="a rule for each of them, or a layer with reset_parameters",
            fix="give them a rule in a Policy, or build the model on the CPU",
        )


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
