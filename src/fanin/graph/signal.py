"""What a model computes: operations in the order of execution, on values whose axes have roles."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args

from fanin.errors import FaninError

Op = Literal[
    "input",
    "parameter",
    "constant",
    "linear",
    "convolution",
    "elementwise",
    "norm",
    "pool",
    "reduce",
    "softmax",
    "matmul",
    "attention",
    "embedding",
    "dropout",
    "noise",
    "concat",
    "slice",
    "reshape",
    "permute",
    "broadcast",
    "pad",
    "recurrent",
    "scan",
    "loss",
    "opaque",
]
"""The closed set of operations, see docs/graph.md; "opaque" is one that nobody understands."""

Role = Literal["batch", "position", "channel", "head", "group", "mixed"]
"""What an axis runs over: examples, places in an example, units of a layer, heads or groups of units; "mixed"
is several of these in one axis."""

Scalar = float | int | bool | str | None
Attribute = Scalar | tuple["Attribute", ...]
"""Plain data that JSON can hold."""


@dataclass(frozen=True)
class Law:
    """What a parameter's values are distributed by, as far as signals need it.

    Args:
        mean: Mean of the values.
        variance: Variance of the values around it.
        name: The distribution in words.
        orthogonal: Whether it is an orthogonal matrix, whose rows or columns are not independent.
    """

    mean: float
    variance: float
    name: str = ""
    orthogonal: bool = False

    @property
    def second_moment(self) -> float:
        """E[w^2]."""
        return self.mean**2 + self.variance


@dataclass(frozen=True)
class Weight:
    """A parameter, a buffer or a constant that a model computes with.

    Args:
        name: Its path in the model.
        shape: Its shape.
        law: What its values are distributed by; None where nobody knows.
        parts: Laws of equal parts along an axis, where they differ (the gates of an LSTM); else empty.
        axis: The axis of the parts.
        source: Where the law comes from: "declared" (the initializers), "tensor" (its values), "plan", or "".
        trainable: Whether it is trained; a buffer is not.
        tied: Other names of the same parameter.
    """

    name: str
    shape: tuple[int, ...]
    law: Law | None = None
    parts: tuple[Law, ...] = ()
    axis: int = 0
    source: str = ""
    trainable: bool = True
    tied: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Source:
    """Where in a model an operation stands.

    Args:
        layer: Path of the module that computes it, "" at the top.
        type: That module's type.
        file: The file of the line that calls it.
        line: Its line, from 1; 0 where nobody knows.
    """

    layer: str = ""
    type: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else self.layer


_NOWHERE = Source()


@dataclass(frozen=True)
class Node:
    """One operation and its value.

    Args:
        name: Its name, of its own in a graph.
        op: What it does.
        inputs: Names of the nodes that it reads, earlier in the graph.
        shape: Shape of its value.
        dtype: Type of the value's elements, as NumPy names it.
        attributes: What else the operation needs, see docs/graph.md.
        roles: What each axis of the value runs over; empty where nobody knows.
        source: Where it stands in the model.
        body: Of a scan, the graph of one step.
    """

    name: str
    op: Op
    inputs: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    roles: tuple[Role, ...] = ()
    source: Source = _NOWHERE
    body: SignalGraph | None = None

    def __getitem__(self, attribute: str) -> Any:
        return self.attributes[attribute]

    def get(self, attribute: str, default: Any = None) -> Any:
        """Return an attribute, or the default where it has none of that name."""
        return self.attributes.get(attribute, default)


@dataclass(frozen=True)
class SignalGraph:
    """A model as operations on values.

    Args:
        nodes: In the order of execution.
        weights: The parameters, buffers and constants that nodes of op "parameter" name.
        outputs: Names of the nodes that the model returns.
        layers: The last node of each module, by the module's path, in the order of their ends. A module that
            is called more than once has one entry a call: "block", "block#2".
        name: What the model is called.
        notes: What to know about how it was read.

    Raises:
        FaninError: A node has no name of its own, an unknown op, or reads one that does not come before it.
    """

    nodes: tuple[Node, ...]
    weights: tuple[Weight, ...] = ()
    outputs: tuple[str, ...] = ()
    layers: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for node in self.nodes:
            _check(node, seen)
            seen.add(node.name)
        for name in (*self.outputs, *self.layers.values()):
            if name not in seen:
                raise FaninError(f"The graph has no node {name!r}.", expected="the name of one of its nodes")

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, name: str) -> Node:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def weight(self) -> Mapping[str, Weight]:
        """Its parameters, buffers and constants by name."""
        return {weight.name: weight for weight in self.weights}

    @cached_property
    def readers(self) -> Mapping[str, tuple[str, ...]]:
        """The nodes that read each node, once for each time they do."""
        found: dict[str, list[str]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in node.inputs:
                found[name].append(node.name)
        return {name: tuple(readers) for name, readers in found.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON (see docs/json.md)."""
        from fanin.graph.records import record

        return record(self)

    def to_json(self) -> str:
        """Return it as JSON, which `from_json` reads back."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> SignalGraph:
        """Return the graph that `to_json` wrote.

        Raises:
            FaninError: It is no JSON, or no signal graph of this version.
        """
        from fanin.graph.records import read

        return read(text)

    def to_dot(self, *, weights: bool = False) -> str:
        """Return it in the language of Graphviz: `dot -Tsvg` draws it, with a frame around each module.

        Args:
            weights: Whether parameters and constants are drawn too.
        """
        from fanin.graph.dot import dot

        return dot(self, weights=weights)

    def __str__(self) -> str:
        from fanin.graph.tree import text

        return text(self)


def _check(node: Node, before: set[str]) -> None:
    if node.name in before:
        raise FaninError(f"Two nodes are called {node.name!r}.", expected="a name of its own for each node")
    if node.op not in get_args(Op):
        raise FaninError(f"{node.name} has the unknown op {node.op!r}.", expected=", ".join(get_args(Op)))
    for name in node.inputs:
        if name not in before:
            raise FaninError(
                f"{node.name} reads {name!r}, which does not come before it.",
                expected="nodes in the order of execution",
            )
