"""Signal graphs as JSON, and back again: what comes back is equal to what went in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError

if TYPE_CHECKING:
    from fanin.graph.signal import Law, Node, SignalGraph, Weight

SCHEMA = "fanin.signal_graph/1"

Record = dict[str, Any]


def record(graph: SignalGraph) -> Record:
    """Return a graph as plain data; tuples are lists, what has its default is left out (see docs/json.md).

    Args:
        graph: The graph.
    """
    return {"schema": SCHEMA, **_graph(graph)}


def graph_of(found: object) -> SignalGraph:
    """Return the graph that a record says.

    Args:
        found: What `record` made.

    Raises:
        FaninError: It is no record of a graph, or one of another version.
    """
    if not isinstance(found, Mapping) or found.get("schema") != SCHEMA:
        version = found.get("schema") if isinstance(found, Mapping) else type(found).__name__
        raise FaninError(
            f"This is no signal graph: its schema is {version!r}.", expected=f'"schema": "{SCHEMA}"'
        )
    try:
        return _read_graph(found)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FaninError(f"The signal graph cannot be read: {type(error).__name__}: {error}.") from error


def read(text: str) -> SignalGraph:
    """Return the graph that JSON says.

    Raises:
        FaninError: It is no JSON, or no graph.
    """
    try:
        return graph_of(json.loads(text))
    except json.JSONDecodeError as error:
        raise FaninError(
            f"The signal graph is no JSON: {error}.", expected="what to_json returned"
        ) from error


def _graph(graph: SignalGraph) -> Record:
    return {
        "name": graph.name,
        "nodes": [_node(node) for node in graph.nodes],
        "weights": [_weight(weight) for weight in graph.weights],
        "outputs": list(graph.outputs),
        "layers": dict(graph.layers),
        "notes": list(graph.notes),
    }


def _node(node: Node) -> Record:
    optional = {
        "inputs": list(node.inputs),
        "attributes": {key: _plain(value) for key, value in node.attributes.items()},
        "roles": list(node.roles),
        "source": _given({"layer": "", "type": "", "file": "", "line": 0}, node.source),
        "body": None if node.body is None else _graph(node.body),
    }
    filled = {key: value for key, value in optional.items() if value}
    return {"name": node.name, "op": node.op, "shape": list(node.shape), "dtype": node.dtype} | filled


def _weight(weight: Weight) -> Record:
    optional = {
        "law": None if weight.law is None else _law(weight.law),
        "parts": [_law(part) for part in weight.parts],
        "tied": list(weight.tied),
    }
    filled = {key: value for key, value in optional.items() if value}
    given = _given({"axis": 0, "source": "", "trainable": True}, weight)
    return {"name": weight.name, "shape": list(weight.shape)} | filled | given


def _law(law: Law) -> Record:
    numbers = {"mean": _plain(law.mean), "variance": _plain(law.variance)}
    return numbers | _given({"name": "", "orthogonal": False}, law)


def _given(defaults: Record, of: object) -> Record:
    """Return the fields that differ from their defaults."""
    return {key: value for key, default in defaults.items() if (value := getattr(of, key)) != default}


def _plain(value: Any) -> Any:
    """Return a value that JSON can say: infinities and nan become {"float": "inf"}."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_read(item) for item in value)
    return float(value["float"]) if isinstance(value, dict) else value


def _read_graph(found: Mapping[str, Any]) -> SignalGraph:
    from fanin.graph.signal import SignalGraph

    return SignalGraph(
        nodes=tuple(_read_node(node) for node in found["nodes"]),
        weights=tuple(_read_weight(weight) for weight in found["weights"]),
        outputs=tuple(found["outputs"]),
        layers=dict(found["layers"]),
        name=found["name"],
        notes=tuple(found["notes"]),
    )


def _read_node(found: Mapping[str, Any]) -> Node:
    from fanin.graph.signal import Node, Source

    return Node(
        name=found["name"],
        op=found["op"],
        inputs=tuple(found.get("inputs", ())),
        shape=tuple(found["shape"]),
        dtype=found["dtype"],
        attributes={key: _read(value) for key, value in found.get("attributes", {}).items()},
        roles=tuple(found.get("roles", ())),
        source=Source(**found.get("source", {})),
        body=_read_graph(found["body"]) if "body" in found else None,
    )


def _read_weight(found: Mapping[str, Any]) -> Weight:
    from fanin.graph.signal import Weight

    tuples = {key: tuple(found.get(key, ())) for key in ("shape", "tied")}
    law = _read_law(found["law"]) if "law" in found else None
    rest = {key: found[key] for key in ("axis", "source", "trainable") if key in found}
    return Weight(
        found["name"], law=law, parts=tuple(map(_read_law, found.get("parts", ()))), **tuples, **rest
    )


def _read_law(found: Mapping[str, Any]) -> Law:
    from fanin.graph.signal import Law

    numbers = {key: _read(found[key]) for key in ("mean", "variance")}
    return Law(**numbers, **{key: found[key] for key in ("name", "orthogonal") if key in found})
