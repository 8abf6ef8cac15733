"""Layers of a graph that follow each other through an activation and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras

from fanin.frameworks.keras.graph import Graph, Value
from fanin.frameworks.keras.residual import output_kernel
from fanin.frameworks.keras.sources import activation_name, is_activation, known
from fanin.frameworks.pairs import Layer, Link, link, pairs_of
from fanin.graph.parameter import Pairs

_layers = keras.layers
_TRANSPOSED = (_layers.Conv1DTranspose, _layers.Conv2DTranspose, _layers.Conv3DTranspose)
_CONVOLUTIONS = (_layers.Conv1D, _layers.Conv2D, _layers.Conv3D)
_ELEMENTWISE = (
    _layers.Identity, _layers.Dropout, _layers.SpatialDropout1D, _layers.SpatialDropout2D,
    _layers.SpatialDropout3D,
)  # fmt: skip


def pairs_of_layers(graph: Graph) -> dict[Any, Pairs]:
    """Return the layers whose outputs, or inputs, can be paired (see `fanin.graph.parameter.Pairs`).

    Args:
        graph: The model's.
    """
    return pairs_of(list(_Linker(graph).links()))


class _Linker:
    """Finds the links between the layers of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._values, self._outputs = graph.values, set(graph.outputs)
        self._calls = Counter(value.operation for value in graph.values)
        self._users: dict[Value, list[Value]] = {value: [] for value in graph.values}
        for value in graph.values:
            for source in value.inputs:
                self._users[source].append(value)

    def links(self) -> Iterator[Link[Any]]:
        for value in self._values:
            layer = self._layer(value)
            activated = self._activated(value) if layer else None
            if layer and activated:
                end, name = activated
                found = [
                    link(moved, name, self._layer(reader), flat=flat)
                    for moved, reader, flat in self._readers(end, layer, False)
                ]
                if None not in found:
                    yield from (one for one in found if one)

    def _layer(self, value: Value | None) -> Layer[Any] | None:
        """Return the dense layer or convolution of a call, if it is called only here."""
        layer = value.operation if value else None
        kernel = output_kernel(layer)
        if kernel is None or self._calls[layer] > 1:
            return None
        shape, first = tuple(kernel.shape), getattr(layer, "data_format", "") == "channels_first"
        if isinstance(layer, _layers.Dense):
            return Layer(layer, *shape)
        if isinstance(layer, _TRANSPOSED):
            return Layer(layer, shape[-1], shape[-2], first=first)
        if isinstance(layer, _CONVOLUTIONS):
            return Layer(layer, shape[-2] * layer.groups, shape[-1], layer.groups, first)
        return None

    def _activated(self, value: Value) -> tuple[Value, str] | None:
        """Return what a layer's outputs are behind their one activation, and its name; None without one."""
        name = activation_name(value.operation)
        if name == "linear":
            users = self._users[value]
            if value in self._outputs or len(users) != 1 or not is_activation(users[0].operation):
                return None
            value = users[0]
            name = activation_name(value.operation)
        return (value, name) if known(name) else None

    def _readers(
        self, value: Value, layer: Layer[Any], flat: bool
    ) -> Iterator[tuple[Layer[Any] | None, Value | None, bool]]:
        """Yield (layer with its units where they lie now, reader or None, whether flattened)."""
        if value in self._outputs:
            yield layer, None, flat
        for user in self._users[value]:
            operation = user.operation
            if isinstance(operation, _layers.Flatten):
                moved = _flattened(layer, operation) if not flat else layer
                found = self._readers(user, moved, True) if moved else ((None, None, True),)
                yield from found
            elif isinstance(operation, _ELEMENTWISE):
                yield from self._readers(user, layer, flat)
            else:
                yield layer, user, flat


def _flattened(layer: Layer[Any], flatten: Any) -> Layer[Any] | None:
    """Return a layer as Flatten finds it, which puts channels last; None where it moves something else."""
    if flatten.data_format != "channels_first":
        return layer
    return layer._replace(first=False) if layer.first else None
