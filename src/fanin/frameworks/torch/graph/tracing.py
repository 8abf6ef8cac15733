"""A PyTorch module as a signal graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.export.graph_signature import InputKind

from fanin.errors import FaninError
from fanin.frameworks.torch.graph import ops
from fanin.frameworks.torch.graph.breaking import exported_in_part, told
from fanin.frameworks.torch.graph.builder import Builder
from fanin.frameworks.torch.graph.exporting import PREFIX, exported
from fanin.frameworks.torch.graph.inputs import checked, input_names
from fanin.frameworks.torch.graph.layers import layer_nodes
from fanin.frameworks.torch.graph.sources import Paths
from fanin.frameworks.torch.graph.unsized import Unsized
from fanin.frameworks.torch.graph.values import Value, dtype_name
from fanin.frameworks.torch.graph.walking import Walker
from fanin.frameworks.torch.inventory import uncompiled
from fanin.frameworks.torch.laws import Weights, weights_of
from fanin.graph.signal import SignalGraph, Weight

__all__ = ["ops", "signal_graph"]


def signal_graph(
    model: nn.Module,
    inputs: tuple[Any, ...] | Mapping[str, Any],
    *,
    train: bool = False,
    laws: Mapping[str, Weight] | None = None,
) -> SignalGraph:
    """Return what a module computes, as operations on values whose weights have laws instead of values.

    Args:
        model: Any module, on the meta device too; it is not run, and it stays as it is.
        inputs: Example tensors that it is called with, real or on the meta device; by name where a mapping.
        train: Whether it is called as in training (dropout, statistics of the batch).
        laws: What parameters are distributed by, by name, in the place of what they hold or declare.

    Raises:
        FaninError: There is no input, the model does not take it, or cannot be traced.

    Example:
        >>> graph = signal_graph(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (torch.zeros(2, 3),))
        >>> [node.op for node in graph], dict(graph.layers)
        (['input', 'parameter', 'parameter', 'linear', 'elementwise'], {'0': 'linear', '1': 'relu'})
    """
    model = uncompiled(model)
    args, kwargs = checked(model, inputs)
    names = input_names(model, args, kwargs)
    try:
        return _read(model, exported(model, args, kwargs, train=train), laws or {}, names)
    except FaninError as error:
        program, breaks = exported_in_part(model, args, kwargs, train=train, error=error)
        return told(_read(model, program, laws or {}, names, whole=False), breaks, error)


def _read(
    model: nn.Module,
    program: torch.export.ExportedProgram,
    laws: Mapping[str, Weight],
    names: list[str],
    *,
    whole: bool = True,
) -> SignalGraph:
    """Return the graph of an exported module.

    Args:
        model: The module.
        program: Its operations.
        laws: What parameters are distributed by, where that is given.
        names: Names of its inputs.
        whole: Whether no layer may be left out.

    Raises:
        FaninError: What it returns, or a layer that may not be left out, has a size that depends on values.
    """
    with torch.device("cpu"):  # whatever device the caller makes tensors on
        weights = weights_of(model, laws)
        builder = Builder()
        known = _placeholders(program, builder, weights, names)
        walker = Walker(builder, program.graph_module, known, Paths(model, PREFIX))
        return _graph(program, walker, weights, type(model).__name__, whole)


def _graph(
    program: torch.export.ExportedProgram, walker: Walker, weights: Weights, name: str, whole: bool
) -> SignalGraph:
    builder = walker.builder
    outputs = [value for value in walker.run(program.graph) if isinstance(value, Value)]
    if not outputs:
        raise FaninError(f"{name} returns no tensor.", expected="a model that returns what it computes")
    ends = layer_nodes(walker.made, walker.paths)
    for value in (*outputs, *(ends.values() if whole else ())):
        if isinstance(value, Unsized):
            raise FaninError(
                f"{name} makes a tensor whose size depends on values at {value.place}.",
                expected="shapes that follow from the shapes of the inputs",
                fix="an operation of a fixed size, such as a mask",
            )
    names = tuple(builder.output(value) for value in outputs)
    layers = {path: builder.node_of(value) for path, value in ends.items() if builder.node_of(value)}
    return _alive(builder, names, layers, weights, name)


def _placeholders(
    program: torch.export.ExportedProgram, builder: Builder, weights: Weights, names: list[str]
) -> dict[str, Value]:
    """Return the values of inputs, parameters, buffers and constants, by the names of their placeholders."""
    shapes = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    first, given = weights.first_names(), iter(names)
    known: dict[str, Value] = {}
    for spec in program.graph_signature.input_specs:
        placeholder, traced = spec.arg.name, shapes.get(spec.arg.name)
        if not isinstance(traced, torch.Tensor):
            continue
        shape, dtype = tuple(traced.shape), dtype_name(traced.dtype)
        if spec.kind is InputKind.USER_INPUT:
            known[placeholder] = builder.input(next(given, placeholder), shape, dtype)
            continue
        name = str(spec.target).removeprefix(f"{PREFIX}.")
        if spec.kind is InputKind.CONSTANT_TENSOR:
            constant: Any = program.constants[str(spec.target)]
            known[placeholder] = Value(shape, dtype, tensor=constant)
            continue
        known[placeholder] = Value(shape, dtype, weight=first[name], tensor=weights.values.get(name))
    return known


def _alive(
    builder: Builder,
    outputs: tuple[str, ...],
    layers: dict[str, str],
    weights: Weights,
    name: str,
) -> SignalGraph:
    """Return the graph of what the outputs depend on."""
    alive = set(outputs)
    for node in reversed(builder.nodes):
        if node.name in alive:
            alive.update(node.inputs)
    nodes = tuple(node for node in builder.nodes if node.name in alive or node.op == "input")
    read = {node["weight"] for node in nodes if node.op == "parameter"}
    ends = {path: node for path, node in layers.items() if node in alive}
    kept = tuple(weight for key, weight in weights.weights.items() if key in read)
    return SignalGraph(nodes, kept, outputs, ends, name, weights.notes)
