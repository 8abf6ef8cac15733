"""Every parameter and buffer of a module with its law, ties told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from fanin.frameworks.torch.inventory import own_tensors
from fanin.frameworks.torch.laws.tensors import law_of_values
from fanin.frameworks.torch.layers import layer_parameters
from fanin.graph.parameter import Parameter
from fanin.graph.signal import Weight


def weights_of(model: nn.Module, laws: Mapping[str, Weight]) -> dict[str, Weight]:
    """Return a module's parameters and buffers by name, each once.

    Args:
        model: Any module.
        laws: Those that are given, by name, in the place of what the parameter holds.
    """
    known = _known(model)
    found: dict[str, Weight] = {}
    owners: dict[int, str] = {}
    for name, tensor, trainable in _tensors(model):
        if id(tensor) in owners:
            first = owners[id(tensor)]
            found[first] = replace(found[first], tied=(*found[first].tied, name))
            continue
        owners[id(tensor)] = name
        found[name] = _weight(name, tensor, trainable, known.get(name))
    return {name: _given(weight, laws) for name, weight in found.items()}


def _tensors(model: nn.Module) -> list[tuple[str, torch.Tensor, bool]]:
    parameters = model.named_parameters(remove_duplicate=False)
    buffers = model.named_buffers(remove_duplicate=False)
    return [
        *((name, tensor, tensor.requires_grad) for name, tensor in parameters),
        *((name, tensor, False) for name, tensor in buffers),
    ]


def _known(model: nn.Module) -> dict[str, Parameter]:
    """Return what is known of the parameters of PyTorch's own layers."""
    found: dict[str, Parameter] = {}
    for path, layer in model.named_modules():
        for parameter in layer_parameters(layer, own_tensors(layer), path).values():
            found[parameter.name] = parameter
    return found


def _weight(name: str, tensor: Any, trainable: bool, known: Parameter | None) -> Weight:
    weight = Weight(name, tuple(tensor.shape), trainable=trainable)
    if tensor.is_meta or not tensor.numel():
        return weight
    values = tensor.detach()
    axis = parts_axis(known)
    gates = known.gates if known is not None else 1
    matrix = known is not None and known.kind in ("kernel", "recurrent")
    if gates == 1:
        return replace(weight, law=law_of_values(values, matrix=matrix), source="tensor")
    parts = tuple(law_of_values(part, matrix=matrix) for part in values.chunk(gates, axis))
    whole = law_of_values(values)
    return replace(weight, law=whole, parts=tuple(p for p in parts if p), axis=axis, source="tensor")


def parts_axis(known: Parameter | None) -> int:
    """Return the axis that packs a parameter's gates."""
    return known.axes.index("out") if known is not None and "out" in known.axes else 0


def _given(weight: Weight, laws: Mapping[str, Weight]) -> Weight:
    given = next((laws[name] for name in (weight.name, *weight.tied) if name in laws), None)
    if given is None:
        return weight
    return replace(weight, law=given.law, parts=given.parts, axis=given.axis, source=given.source)
