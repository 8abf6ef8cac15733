"""The node that each module's call ends in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import fx

from fanin.frameworks.torch.graph.sources import Paths
from fanin.frameworks.torch.graph.values import Value
from fanin.frameworks.torch.inventory import is_parametrization


def layer_nodes(made: Mapping[fx.Node, Any], paths: Paths) -> dict[str, Value]:
    """Return the value that each call of a module returns, by the module's path, in the order of their ends.

    It is the last one that is read outside of the call; the first of several results of one operation.

    Args:
        made: The value of each traced operation when it was computed, in their order.
        paths: Those of the model's modules.
    """
    places = {node: place for place, node in enumerate(made)}
    calls = {node: paths.calls(node) for node in made}
    inside = {node: {key for key, *_ in calls[node]} for node in made}
    last: dict[str, fx.Node] = {}
    read: dict[str, fx.Node] = {}
    named: dict[str, str] = {}
    for node in made:
        if node.op != "call_function" or _nodeless(made[node]):
            continue
        outer = _read_outside(node, inside)
        for key, path, _ in calls[node]:
            named[key] = path
            last[key] = node
            if key in outer and not _same_operation(read.get(key), node):
                read[key] = node
    ends = {key: read.get(key, last[key]) for key in last}
    ordered = sorted(ends, key=lambda key: (places[last[key]], -len(named[key])))
    return _named([(named[key], _first(made[ends[key]])) for key in ordered])


def _read_outside(node: fx.Node, inside: Mapping[fx.Node, set[str]]) -> set[str]:
    """Return the calls that a value leaves."""
    found: set[str] = set()
    for user in node.users:
        found |= inside[node] - inside.get(user, set())
    return found


def _same_operation(before: fx.Node | None, node: fx.Node) -> bool:
    return (
        before is not None
        and len(before.args) == len(node.args) == 2
        and before.target is node.target
        and before.args[0] is node.args[0]
        and not isinstance(before.args[1], fx.Node)
    )


def _nodeless(value: Any) -> bool:
    return not isinstance(_first(value), Value)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) and value else value


def _named(found: list[tuple[str, Value]]) -> dict[str, Value]:
    """Return values by path; the second call of a module is called "path#2"."""
    counts: dict[str, int] = {}
    named: dict[str, Value] = {}
    for path, value in found:
        if not path or is_parametrization(path):
            continue
        counts[path] = counts.get(path, 0) + 1
        named[path if counts[path] == 1 else f"{path}#{counts[path]}"] = value
    return named
