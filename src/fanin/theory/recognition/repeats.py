"""Keys and values that are repeated, each head of them for a group of queries."""

from __future__ import annotations

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, without_ones


def unrepeated_heads(draft: Draft, node: Node, name: str, axis: int) -> tuple[str, int] | None:
    """Return a value before each of its heads was repeated, and how many heads it has; None where none was.

    Args:
        draft: The graph.
        node: What reads it, after which what is added is named.
        name: The value, whose heads h are those of the other one, each followed by its repetitions.
        axis: The axis of heads.
    """
    joined = draft[name]
    if joined.op != "reshape":
        return None
    repeated = draft[joined.inputs[0]]
    rank = len(joined.shape)
    if repeated.op != "broadcast" or len(repeated.shape) != rank + 1:
        return None
    heads, times = repeated.shape[axis : axis + 2]
    if repeated.shape != (*joined.shape[:axis], heads, times, *joined.shape[axis + 1 :]):
        return None
    once = draft[repeated.inputs[0]]
    sizes = [1] * (rank + 1)
    for place, size in zip(repeated["axes"], once.shape, strict=True):
        sizes[place] = size
    shape = (*joined.shape[:axis], heads, *joined.shape[axis + 1 :])
    if sizes[axis + 1] != 1 or without_ones(sizes) != without_ones(shape):
        return None
    while once.op == "reshape" and without_ones(draft[once.inputs[0]].shape) == without_ones(once.shape):
        once = draft[once.inputs[0]]  # the axis of the repetitions alone
    if once.shape != shape:
        once = draft.add(node, "reshape", (once.name,), shape, once.dtype)
    return once.name, heads
