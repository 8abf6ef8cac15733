"""The parameters of a function, from what its program does with them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from fanin.frameworks.jax.axes import Axes, einsum
from fanin.frameworks.names import named
from fanin.graph import roles
from fanin.graph.inventory import Inventory
from fanin.graph.parameter import Axis, Parameter
from fanin.graph.signal import Node, SignalGraph

_PRODUCTS = ("linear", "convolution")


def inventory(graph: SignalGraph) -> Inventory:
    """Return what a function's parameters are, as the products, norms and tables say that read them.

    Of a parameter that is read in several ways the first one counts; what is read in none of these is
    unknown.

    Args:
        graph: The function, with its norms and activations put together.

    Example:
        >>> import jax
        >>> from fanin.frameworks.jax.graph import signal_graph
        >>> graph = signal_graph(lambda w, x: x @ w.T, jax.ShapeDtypeStruct((8, 3), "float32"),
        ...     params=jax.ShapeDtypeStruct((5, 3), "float32"))
        >>> [(one.name, one.kind, one.axes, one.roles) for one in inventory(graph).parameters]
        [('params', 'kernel', ('out', 'in'), ('head',))]
    """
    found: dict[str, Parameter] = {}
    for node in graph:
        for parameter in _read(graph, node, found):
            found.setdefault(parameter.name, parameter)
    every = [found.get(one.name) or Parameter(one.name, one.shape) for one in graph.weights if one.trainable]
    return Inventory(tuple(named(every)), (), f"{graph.name} (jax)")


def _read(graph: SignalGraph, node: Node, found: dict[str, Parameter]) -> Iterator[Parameter]:
    """Yield the parameters that an operation reads in a way that says what they are."""
    if node.op in _PRODUCTS:
        yield from _product(graph, node, found)
    elif node.op == "norm":
        yield from (Parameter(one.name, one.shape, "norm") for one in _held(graph, node.inputs[1:]))
    elif node.op == "embedding":
        yield from (
            Parameter(one.name, one.shape, "embedding", roles=(roles.embedding,))
            for one in _held(graph, node.inputs[1:2])
        )


def _product(graph: SignalGraph, node: Node, found: dict[str, Parameter]) -> Iterator[Parameter]:
    rank = len(graph[node.inputs[1]].shape)
    axes = einsum(node["equation"], rank) if node.op == "linear" else _of_convolution(node)
    told = _traced_back(graph, node.inputs[1], axes)
    if told is None:
        return
    weight, axes = told
    head = _makes_an_output(graph, node)
    kernel = Parameter(
        weight.name,
        weight.shape,
        "kernel",
        axes,
        groups=node.get("groups", 1),
        stride=math.prod(node.get("input_dilation", ())),
        roles=(roles.head,) if head else (),
        inputs=_source(graph, node.inputs[0]),
    )
    yield kernel
    kernel = found.get(kernel.name, kernel)
    for bias in _held(graph, node.inputs[2:]):
        yield replace(
            Parameter(bias.name, bias.shape, "bias", kernel=kernel),
            axes=("out",) if len(bias.shape) == 1 else (),
            roles=(roles.head_bias,) if head else (),
        )


def _of_convolution(node: Node) -> Axes:
    axes: list[Axis] = ["tap"] * len(node["kernel_axes"])
    out, into = node["kernel_axes"][:2]
    axes[out], axes[into] = "out", "in"
    return tuple(axes)


def _traced_back(graph: SignalGraph, name: str, axes: Axes) -> tuple[Node, Axes] | None:
    """Return the parameter that a value is, permuted or one of a stack, and what its axes are."""
    node, known = graph[name], list(axes)
    while known and node.op != "parameter":
        if node.op == "permute":
            known = [known[node["axes"].index(axis)] for axis in range(len(known))]
        elif node.op == "slice" and node.get("drop"):
            known.insert(node["axis"], "expert")
        else:
            return None
        node = graph[node.inputs[0]]
    weight = graph.weight.get(node["weight"])
    if weight is None or not weight.trainable or not known:
        return None
    return replace(node, name=weight.name), tuple(known)


def _held(graph: SignalGraph, names: tuple[str, ...]) -> Iterator[Node]:
    """Yield the trained parameters among values."""
    for node in map(graph.__getitem__, names):
        weight = graph.weight.get(node["weight"]) if node.op == "parameter" else None
        if weight is not None and weight.trainable:
            yield replace(node, name=weight.name)


def _source(graph: SignalGraph, name: str) -> str:
    """Return what a value is: of which activation, of a norm, or of data."""
    node = graph[name]
    while node.op in ("reshape", "permute", "pool"):
        node = graph[node.inputs[0]]
    if node.op == "elementwise" and len(node.inputs) == 1:
        return str(node["function"])
    return {"norm": "norm", "input": "data"}.get(node.op, "")


def _makes_an_output(graph: SignalGraph, node: Node) -> bool:
    """Return whether an output is a product's, or a function of each of its values."""
    for name in graph.outputs:
        end = graph[name]
        while end.op in ("reshape", "permute", "softmax") or (
            end.op == "elementwise" and len(end.inputs) == 1
        ):
            end = graph[end.inputs[0]]
        if end.name == node.name:
            return True
    return False
