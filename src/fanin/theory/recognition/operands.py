"""What attention is told by: values with a letter for each of their axes, and what is done to scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, function, number_first, scalar


@dataclass(frozen=True)
class Operand:
    """A value with a letter for each of its axes; the same letter means the same axis everywhere.

    Args:
        name: Its node's name.
        letters: Of its axes.
        factor: What it is multiplied with; of a mask other than 1 where it is added.
    """

    name: str
    letters: str
    factor: float = 1.0


@dataclass(frozen=True)
class Scores:
    """What is between a softmax and the product of queries and keys.

    Args:
        letters: Of the value that is looked at.
        scale: What the product is multiplied with.
        masks: What is masked or added, with the letters of the axes that it is aligned with.
        factors: What the product is multiplied with besides, by head.
        cap: What a tanh keeps scores below; 0 where there is none.
    """

    letters: str
    scale: float = 1.0
    masks: tuple[Operand, ...] = ()
    factors: tuple[Operand, ...] = ()
    cap: float = 0.0


@dataclass(frozen=True)
class Axes:
    """The letters of an attention: batch, key heads (or none), groups of queries, places, features."""

    batch: str
    head: str
    groups: str
    query: str
    key: str
    inner: str
    outer: str


@dataclass(frozen=True)
class Parts:
    """What an attention is made of."""

    scores: Scores
    query: Operand
    keys: Operand
    values: Operand


def before(node: Node, operand: Operand) -> Operand:
    """Return what a permutation, or an operation that keeps axes, is of."""
    letters = operand.letters
    if node.op == "permute":
        places = dict(zip(node["axes"], letters, strict=True))
        letters = "".join(places[axis] for axis in range(len(letters)))
    return Operand(node.inputs[0], letters, operand.factor)


def keeps_shape(draft: Draft, node: Node) -> bool:
    """Return whether a node is a reshape that changes nothing."""
    return node.op == "reshape" and draft[node.inputs[0]].shape == node.shape


def plain(draft: Draft, operand: Operand) -> Operand:
    """Return a value before permutations and factors."""
    while True:
        node, number = draft[operand.name], scalar(draft[operand.name])
        if node.op == "permute":
            operand = before(node, operand)
        elif number is not None and function(node, "multiply"):
            operand = Operand(node.inputs[0], operand.letters, operand.factor * number)
        elif number is not None and function(node, "divide") and not number_first(node):
            operand = Operand(node.inputs[0], operand.letters, operand.factor / number)
        else:
            return operand


def unpermuted(draft: Draft, operand: Operand) -> Operand:
    """Return a value before permutations."""
    while (node := draft[operand.name]).op == "permute":
        operand = before(node, operand)
    return operand


def arranged(draft: Draft, node: Node, operand: Operand, letters: str, shape: Sequence[int]) -> str:
    """Return a value with its axes in an order, and then in a shape."""
    name, value = operand.name, draft[operand.name]
    if operand.letters != letters:
        order = tuple(operand.letters.index(letter) for letter in letters)
        sizes = tuple(value.shape[axis] for axis in order)
        value = draft.add(node, "permute", (name,), sizes, value.dtype, axes=order)
    if value.shape != tuple(shape):
        value = draft.add(node, "reshape", (value.name,), tuple(shape), value.dtype)
    return value.name
