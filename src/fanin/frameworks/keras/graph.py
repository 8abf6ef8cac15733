"""A functional model's calls as a graph of values, through the models inside of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True, eq=False)
class Value:
    """What one call of a layer or an operation makes.

    Args:
        number: Its place in the order of the calls.
        operation: The layer or operation; None for the model's inputs.
        inputs: The values that it is made from, in the order of the call.
        ancestors: The numbers of all values that it is made from and its own, as bits.
    """

    number: int
    operation: Any
    inputs: tuple[Value, ...]
    ancestors: int

    def comes_from(self, other: Value) -> bool:
        """Return whether it is made from another value, or is the other one."""
        return bool(self.ancestors >> other.number & 1)


class Graph:
    """The values of a functional or sequential model; none for any other.

    Args:
        model: A built model.

    Attributes:
        values: In the order of the calls.
        outputs: Those that the model returns.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.ReLU()])
        >>> [type(value.operation).__name__ for value in Graph(model).values]
        ['NoneType', 'Dense', 'ReLU']
    """

    def __init__(self, model: Any) -> None:
        self.values: list[Value] = []
        inside = _functional(model)
        self.outputs: list[Value] = [] if inside is None else self._read(inside, {})

    def _read(self, model: Any, made: dict[int, Value]) -> list[Value]:
        """Add the values of a functional model's calls, given those of its inputs; return its outputs'."""
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if all(id(tensor) in made for tensor in node.outputs):
                    continue  # an input that the model around it gives
                inputs = [made[id(tensor)] for tensor in node.input_tensors]
                made |= zip(map(id, node.outputs), self._call(node, inputs), strict=True)
        return [made[id(tensor)] for tensor in keras.tree.flatten(model.outputs)]

    def _call(self, node: Any, inputs: Sequence[Value]) -> list[Value]:
        inside = _functional(node.operation)
        tensors = [] if inside is None else keras.tree.flatten(inside.inputs)
        if inside is not None and len(tensors) == len(inputs):
            return self._read(inside, {id(t): value for t, value in zip(tensors, inputs, strict=True)})
        operation = None if isinstance(node.operation, keras.layers.InputLayer) else node.operation
        return [self._add(operation, inputs)] * len(node.outputs)

    def _add(self, operation: Any, inputs: Sequence[Value]) -> Value:
        ancestors = 1 << len(self.values)
        for value in inputs:
            ancestors |= value.ancestors
        self.values.append(Value(len(self.values), operation, tuple(inputs), ancestors))
        return self.values[-1]


def _functional(model: Any) -> Any:
    """Return the functional model that a model is or has, or None."""
    if isinstance(model, keras.Sequential):
        return model._functional
    return model if isinstance(model, keras.Model) and hasattr(model, "_nodes_by_depth") else None
