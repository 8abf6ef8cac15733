"""The residual branches of a graph: what ends them, what is in them, and which of them repeat as blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from fanin.frameworks.keras.graph import Graph, Value
from fanin.frameworks.keras.sources import ATTENTION, is_norm, is_sum, passes

_layers = keras.layers


@dataclass(frozen=True, eq=False)
class Branch:
    """A residual branch.

    Args:
        total: The sum that adds it to the stream.
        last: The call of its last layer with a kernel.
        norm: The norm behind that, whose outputs are added; None where there is none.
        inside: The calls in it, in order.
        shortcut: The calls beside it, between where it left the stream and the sum.
    """

    total: Value
    last: Value
    norm: Value | None
    inside: tuple[Value, ...]
    shortcut: tuple[Value, ...]

    @property
    def weighted(self) -> list[Value]:
        """The calls of layers with a kernel."""
        return [value for value in self.inside if output_kernel(value.operation) is not None]

    @property
    def depth(self) -> int:
        """How many layers with a kernel follow each other in it; 0 where it is no chain."""
        chain = all(len(value.inputs) == 1 or isinstance(value.operation, ATTENTION) for value in self.inside)
        # Values pass two kernels of attention.
        twice = sum(isinstance(value.operation, ATTENTION) for value in self.weighted)
        return len(self.weighted) + twice if chain else 0


def output_kernel(operation: Any) -> Any:
    """Return the kernel that makes a layer's outputs, None where there is none or it is not known."""
    if isinstance(operation, _layers.TimeDistributed):
        return output_kernel(operation.layer)
    if isinstance(operation, ATTENTION):
        operation = operation._output_dense
    if isinstance(operation, _layers.SeparableConv1D | _layers.SeparableConv2D):
        return operation.pointwise_kernel
    kernel = getattr(operation, "kernel", None)
    return kernel if isinstance(operation, _layers.Layer) and hasattr(kernel, "path") else None


def last_layer(value: Value | None) -> tuple[Value | None, Value | None]:
    """Return the call of the last layer with a kernel behind a value, and the norm between them.

    Norms, activations, dropout, scales and whatever else has one input and no matrices is looked through.
    """
    norm = None
    while value is not None and value.operation is not None:
        if output_kernel(value.operation) is not None:
            return value, norm
        if len(value.inputs) != 1 or _has_matrices(value.operation):
            break
        norm = norm or (value if is_norm(value.operation) else None)
        value = value.inputs[0]
    return None, None


def _has_matrices(operation: Any) -> bool:
    return any(len(variable.shape) > 1 for variable in getattr(operation, "variables", ()))


def branches(graph: Graph) -> list[Branch]:
    """Return the residual branches of a graph, in its order.

    A branch is added to the stream that it came from: the other side of the sum, or the inputs of the
    projection that made it, are ancestors of the inputs of the branch's last layer.

    Args:
        graph: The model's.
    """
    sums = [value for value in graph.values if is_sum(value.operation)]
    return [branch for total in sums for branch in _added(total, graph.values)]


def _added(total: Value, values: Sequence[Value]) -> Iterator[Branch]:
    sides = tuple(dict.fromkeys(total.inputs))
    for side in sides:
        last, norm = last_layer(side)
        forks = (_fork(last, other) for other in sides if last and other is not side)
        fork = next((found for found in forks if found), None)
        if last and fork:
            inside = _between(fork, [side], values)
            shortcut = _between(fork, [other for other in sides if other is not side], values)
            beside = tuple(value for value in shortcut if value not in inside)
            yield Branch(total, last, norm, inside, beside)


def _fork(last: Value, stream: Value) -> Value | None:
    """Return where a branch left the stream, None where it did not."""
    while True:
        if any(value.comes_from(stream) for value in last.inputs):
            return stream
        if not stream.inputs or not passes(stream.operation):
            break
        stream = stream.inputs[0]
    projection, _ = last_layer(stream)
    start = projection.inputs[0] if projection else None
    projected = start and any(value is not start and value.comes_from(start) for value in last.inputs)
    return start if projected else None


def _between(fork: Value, ends: Sequence[Value], values: Sequence[Value]) -> tuple[Value, ...]:
    """Return what lies between where a branch left the stream and some ends of it."""
    found = 0
    for end in ends:
        found |= end.ancestors & ~fork.ancestors
    return tuple(value for value in values if found >> value.number & 1)


def blocks(found: Sequence[Branch]) -> Iterator[tuple[Branch, int, int]]:
    """Yield (branch, place of its block, how many such blocks there are) for the branches that repeat.

    A block is a branch or several in a row; it repeats where the same kinds of layers follow again.

    Args:
        found: Branches, in the order of the graph.
    """
    innermost = [one for one in found if not any(other.total in one.inside for other in found)]
    kinds = [tuple(type(value.operation).__name__ for value in branch.weighted) for branch in innermost]
    start = 0
    while start < len(kinds):
        size, count = _repeats(kinds[start:])
        for place, branch in enumerate(innermost[start : start + size * count]):
            if count > 1:
                yield branch, place // size, count
        start += size * count


def _repeats(kinds: Sequence[Any]) -> tuple[int, int]:
    """Return the size and the count of the units that a sequence begins with, such that they cover most."""
    best = 1, 1
    for size in range(1, len(kinds) // 2 + 1):
        count = 1
        while kinds[count * size : (count + 1) * size] == kinds[:size]:
            count += 1
        if count > 1 and size * count > best[0] * best[1]:
            best = size, count
    return best
