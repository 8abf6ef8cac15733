"""Layers of Linen that follow each other through an activation and nothing else, read from a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from fanin.frameworks.jax.linen.program import Level, calls_inside, is_constant
from fanin.frameworks.jax.linen.tags import tag_of
from fanin.frameworks.pairs import Layer, Link, link, pairs_of
from fanin.graph.parameter import Pairs, Parameter

_LAYERS = {"Dense", "Conv", "ConvTranspose"}


def pairs_of_layers(jaxpr: Any, known: Mapping[str, Parameter]) -> dict[str, Pairs]:
    """Return the layers whose outputs, or inputs, can be paired (see `fanin.graph.parameter.Pairs`).

    Args:
        jaxpr: The program of a call, with the inputs and outputs of every layer tagged.
        known: What layers say of their own parameters, by name.
    """
    levels = list(_levels(Level(jaxpr.jaxpr, jaxpr.consts)))
    tags = (tag_of(equation, "in") for level in levels for equation in level.equations)
    calls = Counter(tag.path for tag in tags if tag)
    layers = {layer.key: layer for layer in map(_layer, known.values()) if layer and calls[layer.key] == 1}
    return pairs_of([link for level in levels for link in _Linker(level, layers).links()])


def _levels(level: Level) -> Iterator[Level]:
    yield level
    for equation in level.equations:
        for inner, _ in calls_inside(equation):
            yield from _levels(inner)


def _layer(parameter: Parameter) -> Layer[str] | None:
    """Return the dense layer or convolution that a kernel belongs to, None for anything else."""
    plain = parameter.axes.count("in") == parameter.axes.count("out") == 1 and "expert" not in parameter.axes
    if parameter.kind != "kernel" or parameter.layer not in _LAYERS or not plain:
        return None
    inputs, outputs = (parameter.shape[parameter.axes.index(axis)] for axis in ("in", "out"))
    return Layer(parameter.name.rpartition(".")[0], inputs * parameter.groups, outputs, parameter.groups)


class _Linker:
    """Finds the links between the layers that one level of a program calls."""

    def __init__(self, level: Level, layers: Mapping[str, Layer[str]]) -> None:
        self._level, self._layers = level, layers
        self._outputs = {value for value in level.outputs if not is_constant(value)}
        self._users: dict[Any, list[Any]] = {}
        for equation in level.equations:
            for value in {value for value in equation.invars if not is_constant(value)}:
                self._users.setdefault(value, []).append(equation)

    def links(self) -> Iterator[Link[str]]:
        for equation in self._level.equations:
            tag = tag_of(equation, "out")
            if tag and tag.path in self._layers:
                found = list(self._from(self._layers[tag.path], equation.outvars[0]))
                if None not in found:
                    yield from (one for one in found if one)

    def _from(self, layer: Layer[str], made: Any) -> Iterator[Link[str] | None]:
        """Yield a link for every reader of what a layer makes; None where something else reads it."""
        waiting, seen = [made], {made}
        while waiting:
            value = waiting.pop()
            if value in self._outputs:
                yield None
            for user in self._users.get(value, ()):
                result = user.outvars[0]
                if tag := tag_of(user, "in"):
                    yield self._read(layer, made, value, self._layers.get(tag.path))
                elif user.primitive.name != "reshape" and self._level.root(result) is not made:
                    yield None
                elif result not in seen:
                    seen.add(result)
                    waiting.append(result)

    def _read(self, layer: Layer[str], made: Any, value: Any, reader: Layer[str] | None) -> Link[str] | None:
        """Return the link to a layer that reads a function of what another one makes."""
        flat = self._reshaped(value)
        start = self._level.made_by(value).invars[0] if flat else value
        shape = made.aval.shape
        if self._level.root(start) is not made or start.aval.shape != shape or shape[-1] != layer.outputs:
            return None
        name = self._level.activation(start, made)
        # Where rows are made longer, channels stay neighbours: they are the last axis.
        return link(layer, "" if name == "identity" else name, reader, flat=flat)

    def _reshaped(self, value: Any) -> bool:
        equation = self._level.made_by(value)
        return equation is not None and equation.primitive.name == "reshape"
