"""A signal graph in Graphviz' language: a box an operation, a frame a module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from fanin.graph.signal import Node, SignalGraph
from fanin.graph.words import LAYOUT, operation, shape

_HEAD = (
    "  rankdir=TB; compound=true; nodesep=0.25; ranksep=0.3;",
    '  graph [fontname="Helvetica", fontsize=11, color="#b8c0c8", fontcolor="#59616b", style="rounded"];',
    '  node [fontname="Helvetica", fontsize=10, shape=box, style="rounded,filled", fillcolor="#eef5fb", '
    'color="#9cb8cc"];',
    '  edge [color="#7d8790", arrowsize=0.6];',
)
_VALUES = ("parameter", "constant")
_STYLES = {
    "input": 'shape=oval, fillcolor="#ffffff"',
    "parameter": 'shape=note, style=filled, fillcolor="#fbf6e6", color="#d6c98f", fontsize=8',
    "constant": 'shape=plain, style=solid, fontcolor="#59616b", fontsize=8',
    "opaque": 'fillcolor="#fbe3e4", color="#c0262d"',
    "loss": 'fillcolor="#e6f5ef", color="#5fae93"',
}


def dot(graph: SignalGraph, *, weights: bool = False) -> str:
    """Return a graph for Graphviz (`dot -Tsvg`); operations that only move values are drawn as edges.

    Args:
        graph: The graph.
        weights: Whether parameters and constants are drawn too.

    Example:
        >>> x = Node("x", "input", shape=(2, 3))
        >>> made = dot(SignalGraph((x, Node("y", "softmax", ("x",), (2, 3))), name="net"))
        >>> '"x" -> "y";' in made
        True
    """
    name = graph.name or "graph"
    lines = [f"digraph {_quoted(name)} {{", *_HEAD, *_inside(_Drawing(graph, "", count(), weights)), "}"]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Drawing:
    """A graph that is being drawn, with what its nodes' names begin with, and how frames are counted."""

    graph: SignalGraph
    prefix: str
    clusters: Iterator[int]
    weights: bool


def _inside(drawing: _Drawing) -> Iterator[str]:
    """Yield the lines of a graph's nodes in their frames, then of its edges."""
    graph, prefix = drawing.graph, drawing.prefix
    shown = [node for node in graph if node.op not in LAYOUT or (drawing.weights and node.op in _VALUES)]
    top = _Module()
    for node in shown:
        module = top
        for step in filter(None, node.source.layer.split(".")):
            module = module.inner.setdefault(step, _Module())
        module.nodes.append(node)
    yield from _frames(top, drawing, "", "  ")
    for source, target in _edges(graph, {node.name for node in shown}):
        yield f"  {_quoted(prefix + source)} -> {_quoted(prefix + target)};"


def _edges(graph: SignalGraph, shown: set[str]) -> Iterator[tuple[str, str]]:
    """Yield who reads whom, through what is not shown."""
    sources: dict[str, tuple[str, ...]] = {}
    for node in graph:
        read = tuple(dict.fromkeys(source for name in node.inputs for source in sources[name]))
        sources[node.name] = (node.name,) if node.name in shown else read
        if node.name in shown:
            yield from ((source, node.name) for source in read)


@dataclass
class _Module:
    """What stands in a frame: its own nodes, and the frames of the modules inside."""

    nodes: list[Node] = field(default_factory=list)
    inner: dict[str, _Module] = field(default_factory=dict)


def _frames(module: _Module, drawing: _Drawing, path: str, indent: str) -> Iterator[str]:
    for node in module.nodes:
        yield from _node(node, drawing, indent)
    for step, inner in module.inner.items():
        where = f"{path}.{step}" if path else step
        if len(inner.nodes) == 1 and not inner.inner:  # a frame around one box says no more than its label
            yield from _node(inner.nodes[0], drawing, indent, _titled(where, inner))
            continue
        yield f"{indent}subgraph cluster_{next(drawing.clusters)} {{"
        yield f"{indent}  label={_quoted(_titled(where, inner))};"
        yield from _frames(inner, drawing, where, indent + "  ")
        yield f"{indent}}}"


def _titled(path: str, module: _Module) -> str:
    types = [node.source.type for node in module.nodes if node.source.type]
    return f"{path} ({types[0]})" if types else path


def _node(node: Node, drawing: _Drawing, indent: str, title: str = "") -> Iterator[str]:
    words = node.name if node.op in ("input", "parameter") else operation(node, drawing.graph)
    label = _quoted("\n".join(filter(None, (title, words, shape(node)))))
    style = f", {_STYLES[node.op]}" if node.op in _STYLES else ""
    yield f"{indent}{_quoted(drawing.prefix + node.name)} [label={label}{style}];"
    if node.body is not None:
        inner = replace(drawing, graph=node.body, prefix=f"{drawing.prefix}{node.name}/")
        yield f"{indent}subgraph cluster_{next(drawing.clusters)} {{"
        yield f"{indent}  label={_quoted(f'a step of {node.name}')};"
        yield from (f"{indent}{line}" for line in _inside(inner))
        yield f"{indent}}}"


def _quoted(words: str) -> str:
    r"""Return a quoted string in which nothing has a meaning.

    Example:
        >>> print(_quoted('say "a\\b"'))
        "say \"a\\b\""
    """
    escaped = words.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
