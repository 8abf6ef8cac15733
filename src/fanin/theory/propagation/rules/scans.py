"""Recurrences: the graph of one step, run as often as there are steps that need to be told apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fanin.graph.axes import axes_of
from fanin.graph.signal import Node, SignalGraph
from fanin.theory.propagation.context import Context, Inner
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.rules.sequences import step_by_step
from fanin.theory.propagation.rules.steps import Steps, as_part, sampled, split_up
from fanin.theory.propagation.signal import (
    Contributions,
    Fixed,
    Pullback,
    Result,
    Signal,
    Unknown,
    Value,
)

FOLLOWED = 64
"""Steps of a long sequence that are followed one by one; those after them are taken to be like the last."""


def sequence(length: int) -> tuple[int, ...]:
    """Return blocks of a sequence that a recurrence goes through.

    Example:
        >>> len(sequence(32)), sequence(1000)[-1]
        (32, 936)
    """
    return (1,) * length if length <= FOLLOWED else (*(1,) * FOLLOWED, length - FOLLOWED)


def scan(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return what a scan collects, or carries to its end."""
    for value in inputs:
        if isinstance(value, Unknown):
            return Result(value)
    if node.body is None:
        return Result(Unknown(f"{node.name}: a scan without a body"))
    carried = node["carried"]
    sequences = [value for value in inputs[carried:] if isinstance(value, Signal)]
    if len(sequences) < len(inputs) - carried or not sequences:
        return Result(Unknown(f"{node.name}: a scan over what is no signal"))
    steps = Places(sequence(node["length"]), sequences[0].places.points)
    if any(value.places.total % steps.total for value in sequences):
        return Result(Unknown(f"{node.name}: a scan over some positions of {sequences[0].places.total}"))

    def scanned(given: list[Signal]) -> Result:
        return _Recurrence(node, [*inputs[:carried], *given], given[0], context).result()

    return step_by_step(sequences, steps, context, scanned)


@dataclass(eq=False)
class _Step:
    """One step: its values, and how gradients go back through it."""

    values: dict[str, Value]
    pullbacks: dict[str, Pullback | None]


class _Recurrence:
    """A body, step by step."""

    def __init__(self, node: Node, inputs: list[Value], first: Signal, context: Context) -> None:
        assert node.body is not None
        self.node, self.inputs, self.context = node, inputs, context
        self.body: SignalGraph = node.body
        self.places = first.places
        self.carried: int = node["carried"]
        self.names = [each.name for each in self.body if each.op == "input"]
        self.shared = Steps(first.examples, context.normals)
        points = dict.fromkeys((each.name for each in self.body), 2)
        # Names of the body's nodes are its own: what is known of the graph's is not of them.
        self.inner = replace(
            context, graph=self.body, axes=axes_of(self.body), points=points, again={}, turns={}
        )
        order = range(len(self.places))
        self.order = list(reversed(order)) if node.get("reverse") else list(order)
        self.steps: list[_Step] = []

    def result(self) -> Result:
        state = [self._initial(value) for value in self.inputs[: self.carried]]
        collected: dict[int, Array] = {}
        wanted = self.node.get("output", self.carried)
        last: Signal | None = None
        for point in self.order:
            step = self._step([*state, *self._at(point)])
            self.steps.append(step)
            outputs = [step.values[name] for name in self.body.outputs]
            state, out = outputs[: self.carried], outputs[wanted]
            if not isinstance(out, Signal):
                reason = out.reason if isinstance(out, Unknown) else f"{self.node.name}: no signal"
                return Result(Unknown(reason))
            last, collected[point] = out, out.values
        assert last is not None
        for layer, name in self.body.layers.items():
            value = self._inner(name)
            self.context.inside[self.node.name, layer] = Inner(value)
        y = self._collected(last, collected, wanted)
        return Result(y, lambda cotangent: self._back(cotangent, y, wanted))

    def _inner(self, name: str) -> Value:
        """Return a value of the body over all steps."""
        steps = [step.values[name] for step in self._by_point(self.steps)]
        known = [value for value in steps if isinstance(value, Signal)]
        if len(known) < len(steps):
            unknown = (value.reason for value in steps if isinstance(value, Unknown))
            return Unknown(next(unknown, f"{name}: no signal"))
        values = self._over_steps([value.values for value in known])
        return replace(known[0], values=values, places=self.places, chance=known[-1].chance, chain=None)

    def _by_point(self, steps: list[Any]) -> list[Any]:
        """Return what is in the order of execution in that of the sequence."""
        return [step for _, step in sorted(zip(self.order, steps, strict=True), key=lambda pair: pair[0])]

    def _over_steps(self, values: list[Array]) -> Array:
        rows = max(map(len, values))
        return np.concatenate([np.broadcast_to(each, (rows, SAMPLES, 1)) for each in values], axis=2)

    def _initial(self, value: Value) -> Value:
        if isinstance(value, Fixed):
            level = value.mean if value.array is None else float(np.mean(value.array))
            rows = np.full((self.context.normals.rows, SAMPLES, 1), level)
            return Signal(rows, Places(), 1, self.shared.examples)
        return replace(value, chain=None) if isinstance(value, Signal) else value

    def _at(self, point: int) -> list[Value]:
        found: list[Value] = []
        for value in self.inputs[self.carried :]:
            assert isinstance(value, Signal)
            whole = np.broadcast_to(value.values, (*value.values.shape[:2], len(self.places)))
            # A step's channels go with those of other steps: no part of them may be drawn anew.
            here = whole[..., point : point + 1]
            found.append(replace(value, values=here, places=Places(), chain=None, normal=False))
        return found

    def _step(self, given: list[Value]) -> _Step:
        values: dict[str, Value] = dict(zip(self.names, given, strict=True))
        pullbacks: dict[str, Pullback | None] = {}
        for node in self.body:
            if node.op == "input":
                pullbacks[node.name] = None
                continue
            read = [values[name] for name in node.inputs]
            step = self.shared.linear if node.op == "linear" else self.context.forward
            values[node.name], pullbacks[node.name] = step(node, read, self.inner)
        return _Step(values, pullbacks)

    def _collected(self, last: Signal, collected: dict[int, Array], wanted: int) -> Signal:
        if wanted < self.carried:
            return replace(last, chain=None)
        values = self._over_steps([collected[point] for point in range(len(self.places))])
        width = self.context.size(self.node.name, "channel")
        return Signal(values, self.places, width, last.examples, last.chance)

    # Backward

    def _back(self, cotangent: Cotangent, y: Signal, wanted: int) -> Contributions:
        total: list[Cotangent | None] = [None] * (len(self.inputs) - self.carried)
        for each, together in split_up(cotangent, y.places) or [(cotangent, False)]:
            self.shared.start_back(together=together)
            found = self._back_through(each, y, wanted)
            total = [
                one if before is None else before + one for before, one in zip(total, found, strict=True)
            ]
        return [*[None] * self.carried, *total]

    def _back_through(self, cotangent: Cotangent, y: Signal, wanted: int) -> list[Cotangent]:
        """Return gradients of the sequences, and take down those of weights and of layers inside."""
        given = sampled(cotangent, y.places, self.shared.source_back)
        state: list[Cotangent | None] = [None] * self.carried
        if wanted < self.carried:
            state[wanted] = replace(cotangent, parts=(self._part(given),))
        read: dict[int, list[Array]] = {}
        inner: list[dict[str, Cotangent]] = []
        for point, step in zip(reversed(self.order), reversed(self.steps), strict=True):
            starts = list(state) + [None] * (len(self.body.outputs) - self.carried)
            if wanted >= self.carried:
                starts[wanted] = replace(cotangent, parts=(self._part(given[..., point : point + 1]),))
            found = self._back_step(step, starts)
            inner.append(found)
            state = [found.get(name) for name in self.names[: self.carried]]
            read[point] = [self._sampled(found.get(name)) for name in self.names[self.carried :]]
        self.shared.take_down(self.context)
        for layer, name in self.body.layers.items():
            self._take_down(layer, [found.get(name) for found in self._by_point(inner[::-1])])
        return self._sequences(read, cotangent)

    def _sampled(self, cotangent: Cotangent | None) -> Array:
        """Return a step's gradient as a population."""
        if cotangent is None:
            return np.zeros((1, 1, 1))
        return sampled(cotangent, Places(), self.shared.source_back)

    def _part(self, values: Array) -> Part:
        return as_part(values, together=self.shared.together)

    def _take_down(self, layer: str, steps: list[Cotangent | None]) -> None:
        """Take down the gradient with respect to a layer's outputs of all steps."""
        known = [cotangent for cotangent in steps if cotangent is not None]
        before = self.context.inside[self.node.name, layer]
        if not known or not isinstance(before.value, Signal):
            return
        values = self._over_steps([self._sampled(cotangent) for cotangent in steps])
        whole = replace(known[0], parts=(self._part(values),))
        if before.cotangent is not None:
            whole = before.cotangent + whole
        self.context.inside[self.node.name, layer] = before._replace(cotangent=whole)

    def _back_step(self, step: _Step, starts: list[Cotangent | None]) -> dict[str, Cotangent]:
        found: dict[str, Cotangent] = {}
        for name, given in zip(self.body.outputs, starts, strict=True):
            if given is not None:
                found[name] = found[name] + given if name in found else given
        for node in reversed(self.body.nodes):
            pullback = step.pullbacks.get(node.name)
            if node.name not in found or pullback is None:
                continue
            for name, back in zip(node.inputs, pullback(found[node.name]), strict=False):
                if back is not None:
                    found[name] = found[name] + back if name in found else back
        return found

    def _sequences(self, read: dict[int, list[Array]], cotangent: Cotangent) -> list[Cotangent]:
        rows = self.context.normals.rows
        result = []
        for number in range(len(self.inputs) - self.carried):
            each = [
                np.broadcast_to(read[point][number], (rows, SAMPLES, 1)) for point in range(len(self.places))
            ]
            result.append(replace(cotangent, parts=(self._part(np.concatenate(each, axis=2)),)))
        return result
