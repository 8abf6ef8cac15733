"""Loops and branches: a scan over time stays one, a scan over layers is unrolled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin.frameworks.jax.graph.builder import Builder
from fanin.frameworks.jax.graph.layers import add_layers_of_parameters
from fanin.frameworks.jax.graph.shapes import reshaped, sliced
from fanin.frameworks.jax.graph.table import LOOPS
from fanin.frameworks.jax.graph.values import Drawn, Known, Made, Spread, Value
from fanin.frameworks.jax.graph.walk import Reader, computed

UNROLLED = 512
"""Steps of a loop that may be written out one after the other."""


def _scan(reader: Reader, equation: Any, inputs: list[Value]) -> list[Value]:
    given = equation.params
    constants, carried, sequences = _parted(inputs, given["num_consts"], given["num_carry"])
    over_layers = any(reader.graph.is_weight(value) for value in sequences)
    counts = any(isinstance(v, Known) and not v.shape and v.dtype.kind in "iu" for v in carried)
    if (over_layers or counts) and given["length"] <= UNROLLED:
        return _unrolled(reader, equation, constants, carried, sequences)
    return _Loop(reader, equation).read(constants, carried, sequences)


def _parted(
    inputs: list[Value], constants: int, carried: int
) -> tuple[list[Value], list[Value], list[Value]]:
    return inputs[:constants], inputs[constants : constants + carried], inputs[constants + carried :]


def _unrolled(
    reader: Reader, equation: Any, constants: list[Value], carried: list[Value], sequences: list[Value]
) -> list[Value]:
    """Return a loop's values, its steps one after the other."""
    graph, given = reader.graph, equation.params
    steps: dict[int, list[Value]] = {}
    order = range(given["length"])
    for step in reversed(order) if given["reverse"] else order:
        now = [_step(graph, value, step) for value in sequences]
        results = reader.call(equation, given["jaxpr"], [*constants, *carried, *now])
        carried, steps[step] = results[: len(carried)], results[len(carried) :]
    wanted = equation.outvars[len(carried) :]
    made = [[steps[step][place] for step in order] for place in range(len(wanted))]
    return [*carried, *(_stacked(graph, parts, var.aval) for parts, var in zip(made, wanted, strict=True))]


def _step(graph: Builder, value: Value, step: int) -> Value:
    if isinstance(value, Known):
        return Known(np.asarray(value.array)[step])
    if isinstance(value, Drawn):
        return Drawn(value.shape[1:], value.dtype, value.keep, value.on, value.low, value.high)
    if isinstance(value, Spread) and value.axes and value.axes[0] == 0:
        value = graph.made(value)
    if isinstance(value, Spread):
        return Spread(value.of, value.shape[1:], tuple(axis - 1 for axis in value.axes))
    part = sliced(graph, value, 0, step, step + 1, drop=True)
    if isinstance(part, Made) and graph.is_weight(part):
        graph.steps[part.node] = step
    return part


def _stacked(graph: Builder, parts: Sequence[Value], aval: Any) -> Value:
    if all(isinstance(part, Known) for part in parts):
        return Known(np.stack([part.array for part in parts if isinstance(part, Known)]))
    if all(isinstance(part, Known | Drawn) for part in parts):
        return Drawn(tuple(aval.shape), aval.dtype)
    rows = [reshaped(graph, part, (1, *part.shape)) for part in parts]
    return graph.add("concat", rows, aval.shape, aval.dtype, axis=0)


class _Loop:
    """A loop over data as a node with a body: a node for each of its values."""

    def __init__(self, reader: Reader, equation: Any) -> None:
        self.outer, self.equation, self.graph = reader, equation, reader.graph
        self.body = Builder(reader.graph.weights, reader.graph.calls)
        self.source = reader.graph.source

    def read(self, constants: list[Value], carried: list[Value], sequences: list[Value]) -> list[Value]:
        """Return the loop's values."""
        given, body = self.equation.params, self.body
        passed = [v for v in constants if self.graph.varies(v) and not isinstance(v, Drawn)]
        first = [*passed, *(v for v in carried if not isinstance(v, Drawn))]
        kept = {id(v): body.input("kept", v.shape, v.dtype) for v in passed}
        now: list[Value] = [self._constant(v, kept) for v in constants]
        now += [self._input(v, "carried", v.shape) for v in carried]
        now += [self._input(v, "step", v.shape[1:]) for v in sequences]
        inside = self.outer.below(self.equation, given["jaxpr"].jaxpr)
        inside.graph = body
        results = inside.call(self.equation, given["jaxpr"], now)
        after = [
            *kept.values(),
            *(r for r, v in zip(results, carried, strict=False) if not isinstance(v, Drawn)),
        ]
        made = results[len(carried) :]
        if not self.outer.place.type and not body.layers:  # a function's, without modules
            add_layers_of_parameters(body)
        step = body.graph([*after, *made], "step")
        read = [*first, *(v for v in sequences if not isinstance(v, Drawn))]
        self.graph.source = self.source
        places = iter(range(len(passed), len(passed) + len(self.equation.outvars)))
        found: list[Value] = []
        for number, var in enumerate(self.equation.outvars):
            random = number < len(carried) and isinstance(carried[number], Drawn)
            if random or type(var).__name__ == "DropVar":
                found.append(Drawn(tuple(var.aval.shape), var.aval.dtype))
                if not random:
                    next(places)
                continue
            found.append(
                self.graph.add(
                    "scan", read, var.aval.shape, var.aval.dtype, body=step,
                    carried=len(first), length=given["length"], reverse=given["reverse"], output=next(places),
                )
            )  # fmt: skip
        return found

    def _constant(self, value: Value, kept: dict[int, Made]) -> Value:
        if isinstance(value, Known | Drawn):
            return value
        if id(value) in kept:
            return kept[id(value)]
        if isinstance(value, Spread):
            return Spread(self._copied(value.of), value.shape, value.axes)
        return self._copied(value)

    def _copied(self, value: Made) -> Made:
        """Return a value of parameters as nodes of the body."""
        node = self.graph.nodes[value.node]
        if node.op == "parameter":
            return self.body.parameter(node["weight"], value.dtype)
        read = [self.graph.nodes[name] for name in node.inputs]
        inputs = [self._copied(Made(n.name, n.shape, np.dtype(n.dtype))) for n in read]
        made = self.body.add
        return made(
            node.op, inputs, node.shape, node.dtype, stem=node.name, body=node.body, told=node.attributes
        )

    def _input(self, value: Value, name: str, shape: tuple[int, ...]) -> Value:
        if isinstance(value, Drawn):
            return Drawn(shape, value.dtype)
        return self.body.input(name, shape, value.dtype)


def _cond(reader: Reader, equation: Any, inputs: list[Value]) -> list[Value]:
    which, *operands = inputs
    branches = equation.params["branches"]
    if isinstance(which, Known):
        chosen = min(max(int(np.asarray(which.array)), 0), len(branches) - 1)
        return reader.call(equation, branches[chosen], operands)
    reason = "which branch runs depends on the data"
    return reader.graph.opaque("cond", inputs, [var.aval for var in equation.outvars], reason)


def _while(reader: Reader, equation: Any, inputs: list[Value]) -> list[Value]:
    if all(isinstance(value, Known) for value in inputs):
        return computed(equation, inputs)
    if all(isinstance(value, Known | Drawn) for value in inputs):
        return [Drawn(tuple(var.aval.shape), var.aval.dtype) for var in equation.outvars]
    reason = "how often a while loop runs depends on the data"
    return reader.graph.opaque("while", inputs, [var.aval for var in equation.outvars], reason)


LOOPS.update({"scan": _scan, "cond": _cond, "while": _while})
