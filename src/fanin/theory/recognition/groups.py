"""Group norm: a norm of each group of channels of its own, around which channels are split and joined."""

from __future__ import annotations

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft


def group_norm(draft: Draft, node: Node) -> None:
    """Put a split into groups, their norm and the join together."""
    if node.op != "reshape" or len(node.shape) < 2:
        return
    inner = draft[node.inputs[0]]
    if inner.op != "norm" or inner["kind"] not in ("layer", "instance") or inner["slots"]:
        return
    split = draft[inner.inputs[0]]
    if split.op != "reshape" or draft[split.inputs[0]].shape != node.shape:
        return
    for channel in range(1, len(node.shape)):
        whole, sizes = node.shape[channel], split.shape
        before, after = node.shape[:channel], node.shape[channel + 1 :]
        groups = sizes[channel] if len(sizes) > channel else 0
        if not groups or sizes != (*before, groups, whole // groups, *after):
            continue
        over = tuple(axis for axis in range(1, len(sizes)) if axis != channel)
        if tuple(sorted(inner["axes"])) == over:
            axes = tuple(range(1, len(node.shape)))
            more = {"channel": channel, "groups": groups, "eps": inner["eps"], "slots": ()}
            draft.put(node, "norm", split.inputs, kind="group", axes=axes, **more)
            return
