"""From a model's call to its signal graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fanin.frameworks.jax.graph import elementwise, gathers, loops, products, reductions, shapes
from fanin.frameworks.jax.graph.breaking import after, traced_in_part
from fanin.frameworks.jax.graph.builder import Builder
from fanin.frameworks.jax.graph.laws import weights_of
from fanin.frameworks.jax.graph.layers import add_layers_of_parameters
from fanin.frameworks.jax.graph.tags import Place
from fanin.frameworks.jax.graph.trace import Call
from fanin.frameworks.jax.graph.values import Value
from fanin.frameworks.jax.graph.walk import Reader, known
from fanin.graph.signal import SignalGraph

CONVERTERS = (elementwise, gathers, loops, products, reductions, shapes)
"""The modules that enter what they convert into the table."""


def converted(call: Call, laws: Mapping[str, Any] | None = None) -> SignalGraph:
    """Return the graph of a model's call.

    Args:
        call: The model with its inputs.
        laws: Laws of parameters that take the place of their own, by name.

    Raises:
        FaninError: The model cannot be traced.
    """
    traced = traced_in_part(call)
    closed = traced.program
    graph = Builder({weight.name: weight for weight in weights_of(call, laws or {})})
    variables: list[Value] = [graph.parameter(leaf.name, leaf.value.dtype) for leaf in call.leaves]
    inputs: list[Value] = [
        graph.input(name, array.shape, array.dtype)
        for name, array in zip(call.names, call.arrays, strict=True)
    ]
    constants = [known(value) for value in closed.consts]
    outputs = Reader(graph, Place("", call.type)).run(closed.jaxpr, constants, [*variables, *inputs])
    if not graph.layers:
        add_layers_of_parameters(graph)
    if traced.found is None:
        return graph.graph(outputs, call.name, call.notes)
    notes = (*call.notes, traced.found.note(call.name))
    return graph.graph(after(traced.found, graph, call), call.name, notes)
