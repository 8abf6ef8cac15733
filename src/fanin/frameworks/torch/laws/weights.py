"""Every parameter and buffer of a module with its law, ties told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from fanin.frameworks.torch.inventory import is_parametrization
from fanin.frameworks.torch.laws.declared import Declared, declared
from fanin.frameworks.torch.laws.memory import Memories
from fanin.frameworks.torch.laws.parametrized import spread
from fanin.frameworks.torch.laws.tensors import law_of_values
from fanin.frameworks.torch.layers import layer_parameters
from fanin.graph.parameter import Parameter
from fanin.graph.signal import Law, Weight


@dataclass(frozen=True)
class Weights:
    """What a module computes with.

    Args:
        weights: Its parameters and buffers by name, each once.
        values: Values of buffers by all of their names, where they are there or were recorded.
        notes: What is not known of them, and why.
    """

    weights: Mapping[str, Weight]
    values: Mapping[str, torch.Tensor]
    notes: tuple[str, ...] = ()

    def first_names(self) -> dict[str, str]:
        """Return the name of the weight that each name is one of."""
        return {name: weight.name for weight in self.weights.values() for name in (weight.name, *weight.tied)}


def weights_of(model: nn.Module, laws: Mapping[str, Weight]) -> Weights:
    """Return a module's parameters and buffers with what they are distributed by.

    It is what is given; else what the values themselves are; else, on the meta device, what the initializers
    declare.

    Args:
        model: Any module; nothing in it changes.
        laws: Those that are given, such as a plan's, by name.
    """
    tensors = _tensors(model)
    told = declared(model) if any(tensor.is_meta for _, tensor, _ in tensors) else None
    memories = told.memories if told is not None else None
    known, given = _known(model), spread(model, laws)
    found: dict[str, Weight] = {}
    owners: dict[int, str] = {}
    values: dict[str, torch.Tensor] = {}
    for name, tensor, trainable in tensors:
        first = owners.setdefault(id(tensor), name)
        if first != name:
            found[first] = replace(found[first], tied=(*found[first].tied, name))
        elif name in given:
            found[name] = replace(given[name], name=name, shape=tuple(tensor.shape), trainable=trainable)
        else:
            weight = Weight(name, tuple(tensor.shape), trainable=trainable)
            found[name] = _lawful(weight, tensor, known.get(name), memories)
        if not isinstance(tensor, nn.Parameter) and (kept := _values(tensor, memories)) is not None:
            values[name] = kept
    # A plan knows a tied parameter by one of its names.
    found = {name: _by_other_name(weight, given) for name, weight in found.items()}
    return Weights(found, values, _notes(found, told))


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
        if not is_parametrization(path):
            own = dict(layer.named_parameters(recurse=False))
            found |= {parameter.name: parameter for parameter in layer_parameters(layer, own, path).values()}
    return found


def _lawful(weight: Weight, tensor: Any, known: Parameter | None, memories: Memories | None) -> Weight:
    """Return a weight with the law of its values, or of what they would be."""
    matrix = known is not None and known.kind in ("kernel", "recurrent")
    values = tensor.detach()

    def law(part: torch.Tensor) -> Law | None:
        if part.is_meta:
            return memories.law(part) if memories is not None else None
        return law_of_values(part, matrix=matrix)

    whole = law(values)
    if whole is None:
        return weight
    weight = replace(weight, law=whole, source="declared" if values.is_meta else "tensor")
    if known is None or known.gates == 1:
        return weight
    axis = known.axes.index("out") if "out" in known.axes else 0
    parts = [law(part) for part in values.chunk(known.gates, axis)]
    return replace(weight, parts=tuple(part for part in parts if part is not None), axis=axis)


def _values(buffer: torch.Tensor, memories: Memories | None) -> torch.Tensor | None:
    """Return a buffer's values, None where they are neither there nor recorded."""
    if not buffer.is_meta:
        return buffer.detach()
    drawn = memories.single(buffer) if memories is not None else None
    if drawn is None:
        return None
    if drawn.values is not None and drawn.values.numel() == buffer.numel():
        return drawn.values.reshape(buffer.shape).to(buffer.dtype)
    return torch.full(buffer.shape, drawn.law.mean, dtype=buffer.dtype) if drawn.law.variance == 0 else None


def _by_other_name(weight: Weight, given: Mapping[str, Weight]) -> Weight:
    other = next((given[name] for name in weight.tied if name in given), None)
    if other is None:
        return weight
    return replace(weight, law=other.law, parts=other.parts, axis=other.axis, source=other.source)


def _notes(weights: Mapping[str, Weight], told: Declared | None) -> tuple[str, ...]:
    unknown = [weight.name for weight in weights.values() if weight.law is None and weight.trainable]
    if not unknown:
        return ()
    why = ""
    if told is not None and told.unseen:
        why = f"; the constructor of {', '.join(told.unseen)} draws, which is not seen afterwards"
    elif told is not None and told.contested:
        why = f"; {', '.join(told.contested)} shares it with a layer that draws it otherwise"
    told_how = ": give the function that makes the model, which shows it" if why else ""
    many = f"{len(unknown)} parameters are" if len(unknown) > 1 else "a parameter is"
    return (f"What {many} distributed by is unknown, {unknown[0]} first{why}{told_how}.",)
