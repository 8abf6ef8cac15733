"""What the parameters of a Keras model are in the whole of it: heads, ends of branches, blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from fanin.frameworks.keras.graph import Graph, Value
from fanin.frameworks.keras.pairs import pairs_of_layers
from fanin.frameworks.keras.residual import Branch, blocks, branches, last_layer, output_kernel
from fanin.frameworks.keras.sources import ATTENTION, inputs_of_layers
from fanin.frameworks.roles import Structure
from fanin.graph import roles
from fanin.graph.parameter import Parameter

_layers = keras.layers


@dataclass(frozen=True)
class _Place:
    """What is known of a variable's place, as fields of its parameter."""

    roles: list[str] = field(default_factory=list)
    others: dict[str, Any] = field(default_factory=dict)


class Places:
    """The places of a model's variables.

    What is in the calls of a functional or sequential model is read from them. For layers of layers, whose
    calls are not seen, sub-layers of one class are blocks, and names tell what ends a branch.

    Args:
        model: A built model.
    """

    def __init__(self, model: keras.Model) -> None:
        self._places: dict[int, _Place] = {}
        self._graph = Graph(model)
        found = branches(self._graph)
        self._count = len(found)
        self._wire()
        for branch in sorted(found, key=lambda branch: -len(branch.inside)):
            self._mark(branch)  # what is in several is of the smallest
        for branch, place, count in blocks(found):
            self._put_all((*branch.inside, *branch.shortcut), block=place, blocks=count)
        self._mark_heads({branch.last for branch in found})
        self._owners = dict(_owners(model, ""))
        self._structure = Structure(list(_candidates(model, "")))

    @property
    def known(self) -> bool:
        """Whether the calls of the model are known, and with them its heads."""
        return bool(self._graph.values)

    def placed(self, parameter: Parameter, variable: Any) -> Parameter:
        """Return a variable's parameter with its roles, its block, its branch and what feeds it."""
        place = self._places.get(id(variable), _Place())
        known = {"branches": self._count, **place.others}
        parameter = replace(parameter, **known, roles=tuple(dict.fromkeys((*parameter.roles, *place.roles))))
        if parameter.block is not None:
            return parameter
        return self._structure.placed(parameter, self._owners.get(id(variable), ""))

    def _put(self, variable: Any, *names: str, **others: Any) -> None:
        place = self._places.setdefault(id(variable), _Place())
        place.roles.extend(names)
        place.others.update(others)

    def _put_all(self, calls: Iterable[Value], **others: Any) -> None:
        for call in calls:
            for variable in getattr(call.operation, "variables", ()):
                self._put(variable, **others)

    def _wire(self) -> None:
        for layer, source in inputs_of_layers(self._graph):
            for variable in (*layer._trainable_variables, *layer._non_trainable_variables):  # its own alone
                self._put(variable, inputs=source)
        for layer, pairs in pairs_of_layers(self._graph).items():
            self._put(layer.kernel, pairs=pairs)

    def _mark(self, branch: Branch) -> None:
        self._put_all(branch.inside, branch=branch.depth)
        self._put_all(branch.shortcut, branch=1)
        beside = (output_kernel(call.operation) for call in branch.shortcut)
        for kernel in (kernel for kernel in beside if kernel is not None):
            self._put(kernel, roles.shortcut)
        self._put(output_kernel(branch.last.operation), roles.residual_out)
        gamma = getattr(branch.norm and branch.norm.operation, "gamma", None)
        if gamma is not None:
            self._put(gamma, roles.residual_norm)

    def _mark_heads(self, ends: set[Any]) -> None:
        for value in self._graph.outputs:
            last, _ = last_layer(value)
            if last and last not in ends and not isinstance(last.operation, ATTENTION):
                self._put(output_kernel(last.operation), roles.head)
                layer = getattr(last.operation, "layer", last.operation)
                if getattr(layer, "bias", None) is not None:
                    self._put(layer.bias, roles.head_bias)


def _children(layer: Any, path: str) -> Iterator[tuple[Any, str]]:
    """Yield (sub-layer, path), by the names of the attributes that hold them where there are such."""
    names: dict[int, str] = {}
    for name, held in vars(layer).items():
        if isinstance(held, _layers.Layer):
            names[id(held)] = name.lstrip("_")
        elif isinstance(held, list | tuple) and not name.startswith("_"):
            names |= {id(one): f"{name}.{place}" for place, one in enumerate(held)}
    for child in layer._layers:
        name = names.get(id(child)) or str(child.name)
        yield child, f"{path}.{name}" if path else name


def _owners(layer: Any, path: str) -> Iterator[tuple[int, str]]:
    """Yield (variable's id, path of the layer that owns it); of sub-layers after their layers."""
    yield from ((id(variable), path) for variable in layer.variables)
    for child, below in _children(layer, path):
        yield from _owners(child, below)


def _candidates(layer: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield (path, class) of the user's own layers of layers."""
    for child, below in _children(layer, path):
        own = not type(child).__module__.startswith("keras.")
        if own and child._layers:
            yield below, type(child).__name__
        yield from _candidates(child, below)
