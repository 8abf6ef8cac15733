"""A signal graph as a printed tree: modules in the order of execution, repeated blocks folded into one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from textwrap import wrap

from fanin.graph.signal import Node, SignalGraph
from fanin.graph.words import LAYOUT, operation, shape
from fanin.report.numbers import plain

WIDTH = 80
_SHAPES = 38  # columns of the shapes at most
_INDENT = "  "


@dataclass
class Branch:
    """A visit of a module: what it computes, and the modules that it calls, in order.

    Args:
        path: The module's path.
        parts: Operations and inner visits.
        type: The module's type, "" where nobody knows.
    """

    path: str
    parts: list[Branch | Node] = field(default_factory=list)
    type: str = ""


def text(graph: SignalGraph, width: int = WIDTH) -> str:
    """Return a graph as text.

    Operations that only move values (reshapes, slices) are left out, and counted at the end.

    Args:
        graph: The graph.
        width: Columns.

    Example:
        >>> x = Node("x", "input", shape=(2, 3))
        >>> print(text(SignalGraph((x, Node("y", "softmax", ("x",), (2, 3))), outputs=("y",), name="net")))
        net: 1 operation, no weights
        x: input                                                                   2 × 3
        softmax                                                                    2 × 3
    """
    ending = [line for words in _ending(graph) for line in wrap(plain(words), width)]
    return "\n".join(
        [_cut(plain(_heading(graph)), width), *_lines(grown(graph), _Page(graph, width)), *ending]
    )


def grown(graph: SignalGraph) -> Branch:
    """Return the visits of a graph's modules as a tree."""
    root = Branch("")
    stack = [root]
    for node in graph:
        if node.op in LAYOUT:
            continue
        steps = _steps(node.source.layer)
        same = sum(
            1
            for one, other in zip((branch.path for branch in stack[1:]), steps, strict=False)
            if one == other
        )
        del stack[same + 1 :]
        for path in steps[same:]:
            stack.append(Branch(path))
            stack[-2].parts.append(stack[-1])
        stack[-1].parts.append(node)
        stack[-1].type = stack[-1].type or node.source.type
    return root


def _steps(path: str) -> list[str]:
    """Return a path and those of the modules around it, from outside.

    Example:
        >>> _steps("h.0.mlp")
        ['h', 'h.0', 'h.0.mlp']
    """
    names = path.split(".") if path else []
    return [".".join(names[: i + 1]) for i in range(len(names))]


@dataclass(frozen=True)
class _Page:
    """Where lines go: how far they are indented, and in which module."""

    graph: SignalGraph
    width: int
    indent: str = ""
    inside: str = ""

    def below(self, path: str) -> _Page:
        """Return the place for what is inside a module."""
        return replace(self, indent=self.indent + _INDENT, inside=path)

    def label(self, branch: Branch) -> str:
        """Return a module's path from the one around it."""
        return branch.path.removeprefix(f"{self.inside}." if self.inside else "")


def _lines(branch: Branch, page: _Page) -> Iterator[str]:
    """Yield the lines of what is inside a module."""
    parts = [_through(part) for part in _flat(branch.parts)]
    i = 0
    while i < len(parts):
        part, count = parts[i], _repeats(parts, i, page.graph)
        if isinstance(part, Node):
            yield from _node(part, page)
        elif count > 1:
            yield from _folded(part, parts[i + count - 1], count, page)
        else:
            yield from _module(part, page)
        i += count


def _folded(first: Branch, last: Branch | Node, count: int, page: _Page) -> Iterator[str]:
    ends = " .. ".join(page.label(end) for end in (first, last) if isinstance(end, Branch))
    yield _row(f"{page.indent}{ends} ({count} × {first.type or 'the same'})", "", page.width)
    yield from _lines(first, page.below(first.path))


def _module(branch: Branch, page: _Page) -> Iterator[str]:
    name, kind = page.indent + page.label(branch), f" ({branch.type})" if branch.type else ""
    if len(branch.parts) == 1 and isinstance(node := branch.parts[0], Node) and node.body is None:
        does, right = operation(node, page.graph), shape(node)
        fits = len(name) + len(kind) + len(does) + len(right) + 4 <= page.width
        yield _row(f"{name}{kind if fits else ''}: {does}", right, page.width)
        return
    yield _row(name + kind, "", page.width)
    yield from _lines(branch, page.below(branch.path))


def _node(node: Node, page: _Page) -> Iterator[str]:
    words = f"{node.name}: input" if node.op == "input" else operation(node, page.graph)
    yield _row(page.indent + words, shape(node), page.width)
    if node.body is not None:
        yield from _lines(grown(node.body), _Page(node.body, page.width, page.indent + _INDENT))


def _row(left: str, right: str, width: int) -> str:
    """Return a line with its shape at the right end; what is too long is cut in its middle."""
    left, right = plain(left), _cut(right, _SHAPES)
    room = width - len(right) - 2 if right else width
    return f"{_cut(left, room):<{room}}  {right}".rstrip()


def _cut(words: str, room: int) -> str:
    """Return words that fit.

    Example:
        >>> _cut("a long sentence", 9)
        'a lo…ence'
    """
    if len(words) <= room:
        return words
    half = (room - 1) // 2
    return f"{words[: room - 1 - half]}…{words[len(words) - half :]}"


def _flat(parts: list[Branch | Node]) -> Iterator[Branch | Node]:
    """Yield parts without containers that only hold numbered modules."""
    for part in parts:
        if isinstance(part, Branch) and _holds_only_numbers(part):
            yield from _flat(part.parts)
        else:
            yield part


def _holds_only_numbers(branch: Branch) -> bool:
    return bool(branch.parts) and all(
        isinstance(part, Branch) and _number(part) is not None for part in branch.parts
    )


def _through(part: Branch | Node) -> Branch | Node:
    """Return the innermost of modules that hold nothing but one another."""
    while isinstance(part, Branch) and len(part.parts) == 1 and isinstance(part.parts[0], Branch):
        part = part.parts[0]
    return part


def _repeats(parts: list[Branch | Node], start: int, graph: SignalGraph) -> int:
    """Return how many modules from here on differ in their number alone."""
    first = parts[start]
    if isinstance(first, Node) or (number := _number(first)) is None:
        return 1
    wanted, count = _signature(first, graph), 1
    while start + count < len(parts):
        other = parts[start + count]
        if (
            not isinstance(other, Branch)
            or _number(other) != number + count
            or _parent(other) != _parent(first)
        ):
            break
        if _signature(other, graph) != wanted:
            break
        count += 1
    return count


def _signature(part: Branch | Node, graph: SignalGraph, inside: str = "") -> object:
    """Return what a part looks like, but for its own path."""
    if isinstance(part, Node):
        return operation(part, graph), shape(part), part.body
    own = part.path[len(inside) :] if inside else ""
    return own, part.type, tuple(_signature(inner, graph, part.path) for inner in part.parts)


def _number(branch: Branch) -> int | None:
    """Return the number at the end of a module's path: 3 of "h.3" and of "block3"."""
    found = re.search(r"(\d+)$", branch.path)
    return int(found[1]) if found else None


def _parent(branch: Branch) -> str:
    return re.sub(r"\d+$", "", branch.path)


def _heading(graph: SignalGraph) -> str:
    count = sum(node.op not in (*LAYOUT, "input") for node in graph)
    trained = [weight for weight in graph.weights if weight.trainable]
    size = sum(weight.size for weight in trained)
    weights = f"{size:,} parameters in {_counted(len(trained), 'tensor')}" if trained else "no weights"
    return f"{graph.name or 'graph'}: {_counted(count, 'operation')}, {weights}"


def _ending(graph: SignalGraph) -> Iterator[str]:
    moved = Counter(
        node.op for node in graph if node.op in LAYOUT and node.op not in ("constant", "parameter")
    )
    if moved:
        yield "not shown: " + ", ".join(f"{count} {op}" for op, count in moved.most_common())
    unknown = sum(node.op == "opaque" for node in graph)
    if unknown:
        yield f"{_counted(unknown, 'operation')} that nobody understands"
    yield from graph.notes


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"
