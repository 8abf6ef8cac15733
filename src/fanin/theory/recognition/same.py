"""What is computed twice, and moves that follow each other."""

from __future__ import annotations

from dataclasses import replace

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, function

_OWN = ("input", "dropout", "noise", "opaque", "scan")
"""Ops of which two are not the same, even of the same inputs, or that are not compared."""


def once(draft: Draft) -> None:
    """Let what reads the second of two equal operations read the first one."""
    first: dict[object, str] = {}
    same: dict[str, str] = {}
    for node in draft:
        if any(name in same for name in node.inputs):
            node = replace(node, inputs=tuple(same.get(name, name) for name in node.inputs))
            draft.nodes[node.name] = node
        if node.op not in _OWN:
            key = node.op, node.inputs, node.shape, node.dtype, tuple(sorted(node.attributes.items()))
            same_as = first.setdefault(key, node.name)
            if same_as != node.name:
                same[node.name] = same_as
    draft.end_elsewhere(same)


def finite(draft: Draft, node: Node) -> None:
    """Let what is replaced where it is not finite stand for itself: in a graph all values are finite."""
    if function(node, "where") and len(node.inputs) == 2 and node["scalars"][2] is not None:
        asked, x = (draft[name] for name in node.inputs)
        if function(asked, "is_finite") and asked.inputs == (x.name,) and x.shape == node.shape:
            draft.put(node, "reshape", (x.name,))


def permutation(draft: Draft, node: Node) -> None:
    """Put a permutation of a permutation together, unless a layer ends in between, whose gradient counts."""
    if node.op != "permute" or draft.is_end(node.inputs[0]):
        return
    if (inner := draft[node.inputs[0]]).op == "permute":
        draft.put(node, "permute", inner.inputs, axes=tuple(inner["axes"][axis] for axis in node["axes"]))
