"""Scores of attention that are reshaped while something is done to them, as for windows that have masks.

A reshape moves behind what keeps the places of elements, until another one undoes it.
"""

from __future__ import annotations

import math

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, Shape, spread

_LONGEST = 16


def sunk(draft: Draft, node: Node) -> None:
    """Let a function of reshaped scores be the reshape of a function of them."""
    place = next((place for place, name in enumerate(node.inputs) if _of_scores(draft, name)), None)
    if place is None:
        return
    split = draft[node.inputs[place]]
    scores = draft[split.inputs[0]]
    if node.op == "reshape":
        draft.put(node, "reshape", split.inputs)
        return
    inputs = _moved(draft, node, split, scores)
    attributes = _attributes(node, scores) if split.shape == node.shape else None
    if inputs is None or attributes is None:
        return
    new = draft.add(node, node.op, inputs, scores.shape, **attributes)
    draft.put(node, "reshape", (new.name,))


def _of_scores(draft: Draft, name: str) -> bool:
    """Return whether a node is a reshape of a product of two values, or of what was made of one."""
    if draft[name].op != "reshape":
        return False
    name = draft[name].inputs[0]
    for _ in range(_LONGEST):
        node = draft[name]
        if node.op == "matmul":
            return all(map(draft.varies, node.inputs))
        if node.op not in ("elementwise", "softmax", "dropout"):
            return False
        same = [other for other in node.inputs if draft[other].shape == node.shape and draft.varies(other)]
        if not same:
            return False
        name = same[0]
    return False


def _moved(draft: Draft, node: Node, split: Node, scores: Node) -> tuple[str, ...] | None:
    """Return the inputs of a node as they are before the reshape; None where they do not go there."""
    inputs: list[str] = []
    for name in node.inputs:
        if name == split.name:
            inputs.append(scores.name)
            continue
        other = draft[name]
        groups = _groups(spread(other.shape, len(split.shape)), split.shape, scores.shape)
        if groups is None:
            return None
        wide = tuple(size for group in groups for size in group)
        if wide != other.shape:
            first = len(wide) - len(other.shape)
            axes = tuple(range(first, len(wide)))
            other = draft.add(node, "broadcast", (other.name,), wide, other.dtype, axes=axes)
        narrow = tuple(math.prod(group) for group in groups)
        inputs.append(draft.add(node, "reshape", (other.name,), narrow, other.dtype).name)
    return tuple(inputs)


def _groups(shape: Shape, fine: Shape, coarse: Shape) -> list[Shape] | None:
    """Return the sizes that each axis of a coarse shape is made of, 1 for all where a value has none of them.

    Example:
        >>> _groups((1, 3, 1, 5), (2, 3, 4, 5), (6, 4, 5))
        [(2, 3), (1,), (5,)]
    """
    groups: list[Shape] = []
    place = 0
    for size in coarse:
        first = place
        while place < len(fine) and (place == first or math.prod(fine[first:place]) < size):
            place += 1
        if math.prod(fine[first:place]) != size:
            return None
        own = shape[first:place]
        groups.append(own if set(own) == {1} else fine[first:place])
    return groups if place == len(fine) else None


def _attributes(node: Node, scores: Node) -> dict | None:
    """Return a node's attributes on values of another shape; None where it does not keep places."""
    if node.op == "elementwise":
        return dict(node.attributes)
    if node.op == "dropout" and not node.get("shared"):
        return dict(node.attributes)
    if node.op == "softmax":
        rest = len(node.shape) - node["axis"]
        if node.shape[-rest:] == scores.shape[-rest:]:
            return {**node.attributes, "axis": len(scores.shape) - rest}
    return None
