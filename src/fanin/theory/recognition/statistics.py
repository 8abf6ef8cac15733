"""Means, variances and what divides by their roots, in the forms that people and frameworks write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, bare, fits, function, number_first, scalar, without_ones


@dataclass(frozen=True)
class Statistic:
    """A mean or a mean of squares over some axes of a value.

    Args:
        of: The value.
        axes: The axes that it is taken over.
        kind: "mean"; "variance", of what is left without the mean; "square", the mean of squares.
    """

    of: str
    axes: tuple[int, ...]
    kind: Literal["mean", "variance", "square"]


@dataclass(frozen=True)
class Scale:
    """1 / sqrt(a statistic + eps).

    Args:
        statistic: The statistic; None where it is a parameter, as of a trained batch norm.
        given: The parameter, else "".
        eps: What is added under the root.
    """

    statistic: Statistic | None
    given: str
    eps: float


def unrepeated(draft: Draft, name: str) -> Node:
    """Return the node behind another one: without axes of size 1 and without repetitions for each group."""
    node = bare(draft, name)
    while node.op == "reshape":
        inner = draft[node.inputs[0]]
        if inner.op != "broadcast":
            break
        base = bare(draft, inner.inputs[0])
        sizes, repeated = without_ones(base.shape), without_ones(inner.shape)
        # (batch, groups) repeated to (batch, groups, size of a group) and joined to (batch, channels)
        joined = (*repeated[:-2], repeated[-2] * repeated[-1]) if len(repeated) > 1 else ()
        if repeated[:-1] != sizes or without_ones(node.shape) != joined:
            break
        node = base
    return node


def statistic(draft: Draft, name: str) -> Statistic | None:
    """Return what statistic a node is; None where it is none."""
    node = unrepeated(draft, name)
    if node.op == "reduce":
        return _reduced(draft, node)
    if function(node, "maximum") and scalar(node) == 0.0:
        return statistic(draft, node.inputs[0])
    if function(node, "subtract") and len(node.inputs) == 2:
        return _difference(draft, *node.inputs)
    return None


def _reduced(draft: Draft, node: Node) -> Statistic | None:
    axes = tuple(node["axes"])
    if node["function"] == "variance":
        return Statistic(node.inputs[0], axes, "variance")
    if node["function"] != "mean":
        return None
    squared = root_of_square(draft, node.inputs[0])
    if squared is None:
        return Statistic(node.inputs[0], axes, "mean")
    of = centred(draft, squared, axes)
    return Statistic(squared, axes, "square") if of is None else Statistic(of, axes, "variance")


def root_of_square(draft: Draft, name: str) -> str | None:
    """Return the value whose square a node is; None where it is none."""
    node = draft[name]
    if function(node, "square") and len(node.inputs) == 1:
        return node.inputs[0]
    if function(node, "multiply") and len(node.inputs) == 2 and node.inputs[0] == node.inputs[1]:
        return node.inputs[0]
    if function(node, "power") and scalar(node) == 2.0 and not number_first(node):
        return node.inputs[0]
    return node.inputs[0] if function(node, "integer_power") and tuple(node["arguments"]) == (2,) else None


def centred(draft: Draft, name: str, axes: tuple[int, ...]) -> str | None:
    """Return the value that a node is without its own mean over some axes; None where it is none."""
    node = draft[name]
    if not function(node, "subtract") or len(node.inputs) != 2:
        return None
    x, shift = node.inputs
    found = statistic(draft, shift)
    same = found == Statistic(x, axes, "mean") and draft[x].shape == node.shape
    return x if same and fits(draft[shift].shape, node.shape, axes) else None


def _difference(draft: Draft, first: str, second: str) -> Statistic | None:
    """Return a variance that is a mean of squares without the square of the mean."""
    square, mean_name = statistic(draft, first), root_of_square(draft, unrepeated(draft, second).name)
    mean = None if mean_name is None else statistic(draft, mean_name)
    if square is None or mean is None or (square.kind, mean.kind) != ("square", "mean"):
        return None
    same = (square.of, square.axes) == (mean.of, mean.axes)
    return Statistic(square.of, square.axes, "variance") if same else None


def scale(draft: Draft, name: str) -> Scale | None:
    """Return what a node scales by, where it is one by the root of a statistic; None where it is not."""
    node = unrepeated(draft, name)
    number = scalar(node)
    if function(node, "rsqrt"):
        return _under_root(draft, node.inputs[0])
    if function(node, "reciprocal") or (function(node, "divide") and number == 1.0 and number_first(node)):
        root = unrepeated(draft, node.inputs[0])
        return _under_root(draft, root.inputs[0]) if function(root, "sqrt") else None
    if function(node, "power") and number == -0.5 and not number_first(node):
        return _under_root(draft, node.inputs[0])
    return None


def divisor(draft: Draft, name: str) -> Scale | None:
    """Return what dividing by a node scales by, where it is the root of a statistic."""
    root = unrepeated(draft, name)
    if function(root, "sqrt") or (function(root, "power") and scalar(root) == 0.5 and not number_first(root)):
        return _under_root(draft, root.inputs[0])
    return None


def _under_root(draft: Draft, name: str) -> Scale | None:
    node, eps = unrepeated(draft, name), 0.0
    if function(node, "add") and (number := scalar(node)) is not None:
        node, eps = unrepeated(draft, node.inputs[0]), number
    found = statistic(draft, node.name)
    if found is not None and found.kind != "mean":
        return Scale(found, "", eps)
    if found is None and node.op == "parameter":
        return Scale(None, node.name, eps)
    return None
