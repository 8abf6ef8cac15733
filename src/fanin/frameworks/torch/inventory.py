"""A PyTorch module's parameters, ties, buffers and parametrizations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from fanin.errors import FaninError
from fanin.frameworks.roles import headed, streamed
from fanin.frameworks.torch.layers import layer_parameters
from fanin.frameworks.torch.pairs import pairs_of_layers
from fanin.frameworks.torch.residual import branches_of
from fanin.frameworks.torch.roles import ModuleStructure
from fanin.frameworks.torch.tracing import traced
from fanin.frameworks.torch.wiring import inputs_of_layers
from fanin.graph import roles
from fanin.graph.inventory import Inventory, Kept
from fanin.graph.parameter import Pairs, Parameter


def inventory(model: nn.Module) -> Inventory:
    """Return what a module's state is made of.

    Args:
        model: Any module; nothing is run and nothing is changed.

    Raises:
        FaninError: A lazy layer has no shape yet.
    """
    model = uncompiled(model)
    owners: dict[Any, str] = {}
    parameters: list[Parameter] = []
    kept: list[Kept] = []
    structure, wires = ModuleStructure(model), _Wires(model)
    for path, layer in model.named_modules(remove_duplicate=False):
        if is_parametrization(path):
            continue
        own = own_tensors(layer)
        check_made(path, own)
        known = layer_parameters(layer, own, path)
        for name, tensor in own.items():
            full = f"{path}.{name}" if path else name
            # A parametrized tensor is computed at every use: it is the layer and the name that stay the same.
            same = (id(layer), name) if isinstance(tensor, _Parametrized) else id(tensor)
            if same in owners:
                kept.append(Kept(full, tuple(tensor.shape), f"tied to {owners[same]}"))
                continue
            owners[same] = full
            if reason := _why_kept(tensor):
                kept.append(Kept(full, tuple(tensor.shape), reason))
                continue
            own_kind = known.get(name) or Parameter(full, tuple(tensor.shape), layer=type(layer).__name__)
            placed = structure.placed(own_kind, path)
            weight = placed.kind in ("kernel", "recurrent", "embedding")
            now = {"complex": tensor.dtype.is_complex, "zero": weight and is_zero(tensor)}
            parameters.append(replace(placed, **wires.facts(placed, path), **now))
    kept += [Kept(name, tuple(b.shape), "buffer") for name, b in model.named_buffers()]
    found = tuple(streamed(list(headed(parameters, ordered=True))))
    return Inventory(found, tuple(kept), f"{type(model).__name__} (torch)")


class _Wires:
    """What a module's traced graph tells of its parameters."""

    def __init__(self, model: nn.Module) -> None:
        graph, modules = traced(model), dict(model.named_modules())
        self._inputs = inputs_of_layers(graph, modules)
        self._pairs = pairs_of_layers(graph, modules)
        branches = branches_of(graph, modules)
        self._norms = {branch.norm for branch in branches}
        self._roles = {path: roles.shortcut for branch in branches for path in branch.shortcut}
        self._roles |= {branch.layers[-1]: roles.residual_out for branch in branches}
        self._depths = {path: branch.depth for branch in branches for path in branch.layers}

    def facts(self, parameter: Parameter, path: str) -> dict[str, Any]:
        """Return inputs, pairs and place in a branch of a parameter of the layer at a path, as its fields."""
        inputs = parameter.inputs or self._inputs.get(path, "")
        if parameter.kind == "kernel":
            told = (self._roles[path],) if path in self._roles else ()
            return {
                "inputs": inputs,
                "pairs": self._pairs.get(path, Pairs()),
                "branch": self._depths.get(path, 0),
                "roles": tuple(dict.fromkeys((*parameter.roles, *told))),
            }
        ends = parameter.kind == "norm" and path in self._norms and parameter.name.endswith("weight")
        return {"inputs": inputs, "roles": (*parameter.roles, *((roles.residual_norm,) if ends else ()))}


def is_zero(tensor: Any) -> bool:
    """Return whether a tensor is known to be all 0; of shards and what has no values nobody knows.

    Example:
        >>> is_zero(torch.zeros(3)), is_zero(torch.ones(3)), is_zero(torch.zeros(3, device="meta"))
        (True, False, False)
    """
    plain = type(tensor) in (torch.Tensor, nn.Parameter)
    if not plain or tensor.is_meta or not tensor.numel():
        return False
    values = tensor.detach()
    first = values[(0,) * values.ndim]  # nearly always tells, and spares reading all of them
    return not bool(first) and not bool(values.any())


def uncompiled(model: Any) -> nn.Module:
    """Return the module that `torch.compile` wrapped, or the module itself."""
    return getattr(model, "_orig_mod", model)


def is_parametrization(path: str) -> bool:
    """Return whether a module only holds what another one's parameter is computed from."""
    return "parametrizations" in path.split(".")


def own_tensors(layer: nn.Module) -> dict[str, Any]:
    """Return a layer's own parameters; parametrized ones under the name that they are used by."""
    own: dict[str, Any] = dict(layer.named_parameters(recurse=False))
    if parametrize.is_parametrized(layer):
        names: Any = layer.parametrizations
        own |= {name: _Parametrized(layer, name) for name in names}
    return own


class _Parametrized:
    """A tensor that is computed from others; it takes the place of a parameter in an inventory."""

    def __init__(self, layer: Any, name: str) -> None:
        with torch.no_grad():
            value = getattr(layer, name)
        self.shape, self.dtype = value.shape, value.dtype
        self.requires_grad = any(t.requires_grad for t in layer.parametrizations[name].parameters())


def _why_kept(tensor: Any) -> str:
    if not tensor.dtype.is_floating_point and not tensor.dtype.is_complex:
        return f"{tensor.dtype}, no weight"
    return "" if tensor.requires_grad else "frozen: requires_grad is False"


def check_made(path: str, own: dict[str, Any]) -> None:
    """Refuse a layer whose tensors have no shapes yet.

    Args:
        path: Its path.
        own: Its tensors by name.

    Raises:
        FaninError: One of them is lazy.
    """
    lazy = [f"{path}.{name}" if path else name for name, tensor in own.items() if is_lazy(tensor)]
    if lazy:
        raise FaninError(
            f"{lazy[0]} has no shape yet: its layer is lazy.", fix="run the model once on an example first"
        )


def located(model: nn.Module, names: set[str]) -> Iterator[tuple[str, nn.Module, str]]:
    """Yield (full name, layer, name in the layer) of some of a module's tensors."""
    for path, layer in uncompiled(model).named_modules(remove_duplicate=False):
        if is_parametrization(path):
            continue
        for name in own_tensors(layer):
            full = f"{path}.{name}" if path else name
            if full in names:
                yield full, layer, name
