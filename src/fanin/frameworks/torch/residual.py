"""Residual branches in the traced graph of a module."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import fx, nn

from fanin.frameworks.torch.layers import is_norm

_ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")
_WEIGHTS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip


@dataclass(frozen=True)
class Branch:
    """What is added to a residual stream.

    Args:
        layers: Paths of its weight layers, in the order in which they are called.
        depth: How many of them follow each other.
        norm: Path of the norm that ends it, empty where none does.
        shortcut: Paths of the weight layers on the way beside it.
    """

    layers: tuple[str, ...]
    depth: int
    norm: str = ""
    shortcut: tuple[str, ...] = ()


def branches_of(graph: fx.Graph | None, modules: dict[str, nn.Module]) -> list[Branch]:
    """Return the residual branches of a module, in the order in which they are added.

    Where two values are added that come from one, the way with more weight layers is the branch, the other
    is the stream or its shortcut. Ways with as many layers are none of both.

    Args:
        graph: The module's graph; None where it cannot be traced.
        modules: The module's layers by path.
    """
    nodes = list(graph.nodes) if graph is not None else []
    above = _above(nodes)
    added = [node for node in nodes if node.op.startswith("call") and node.target in _ADDITIONS]
    found = (_branch(node, nodes, above, modules) for node in added)
    return [branch for branch in found if branch]


def _above(nodes: list[fx.Node]) -> dict[fx.Node, int]:
    """Return the nodes that each one depends on, itself among them, as the bits of a number."""
    above: dict[fx.Node, int] = {}
    for place, node in enumerate(nodes):
        bits = 1 << place
        for source in node.all_input_nodes:
            bits |= above[source]
        above[node] = bits
    return above


def _branch(
    addition: fx.Node, nodes: list[fx.Node], above: dict[fx.Node, int], modules: dict[str, nn.Module]
) -> Branch | None:
    ends = [end for end in addition.args[:2] if isinstance(end, fx.Node)]
    if len(ends) < 2 or not above[ends[0]] & above[ends[1]]:
        return None
    one, other = (
        list(_weights(above[end] & ~above[beside], nodes, modules)) for end, beside in (ends, ends[::-1])
    )
    if len(one) == len(other):
        return None
    (shortcut, _), (layers, end) = sorted([(one, ends[0]), (other, ends[1])], key=lambda way: len(way[0]))
    return Branch(_paths(layers), _depth(layers, above), _norm(end, modules), _paths(shortcut))


def _paths(calls: list[fx.Node]) -> tuple[str, ...]:
    return tuple(str(node.target) for node in calls)


def _weights(bits: int, nodes: list[fx.Node], modules: dict[str, nn.Module]) -> Iterator[fx.Node]:
    """Yield the calls of weight layers among some nodes."""
    while bits:
        lowest = bits & -bits
        node = nodes[lowest.bit_length() - 1]
        if node.op == "call_module" and isinstance(modules[str(node.target)], _WEIGHTS):
            yield node
        bits ^= lowest


def _depth(layers: list[fx.Node], above: dict[fx.Node, int]) -> int:
    """Return how many of some calls, in their order, follow each other."""
    deep: dict[fx.Node, int] = {}
    for node in layers:
        before = (deep[other] for other in deep if above[other] | above[node] == above[node])
        deep[node] = 1 + max(before, default=0)
    return max(deep.values())


def _norm(end: fx.Node, modules: dict[str, nn.Module]) -> str:
    """Return the path of the norm whose outputs are added, through dropout and the like."""
    while end.op == "call_module":
        path = str(end.target)
        if is_norm(modules[path]):
            return path
        if isinstance(modules[path], _WEIGHTS) or not end.all_input_nodes:
            return ""
        end = end.all_input_nodes[0]
    return ""
