"""A Keras model's parameters, with the meaning that their layers give to each axis."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras

from fanin.frameworks.keras.build import canonical_paths
from fanin.frameworks.padding import same_pads
from fanin.graph.parameter import Axis, Parameter

layers = keras.layers

_GATES = {
    "LSTMCell": ("input", "forget", "cell", "output"),
    "GRUCell": ("update", "reset", "new"),
    "SimpleRNNCell": (),
}
_ATTENTION = {
    "query": ("query",),
    "key": ("key",),
    "value": ("value",),
    "attention_output": ("attention_out",),
}
# The place of the heads in (in, heads, out) of queries, keys and values, and in (heads, in, out) of outputs.
_HEADS: dict[tuple[Axis, ...], int] = {("in", "out", "out"): 1, ("in", "in", "out"): 0}
_NORMS = (
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.GroupNormalization,
    layers.UnitNormalization,
)


def parameters(model: keras.Model) -> list[Parameter]:
    """Return a model's parameters, in the order of its variables, under their canonical paths.

    Args:
        model: A built model.

    Returns:
        One for every variable of the model; those of layers that are not known have kind "unknown".
    """
    names = dict(zip(map(id, model.variables), canonical_paths(model), strict=True))
    found = {id(v): Parameter(names[id(v)], tuple(v.shape)) for v in model.variables}
    for layer in model._flatten_layers():
        own = {variable.path: id(variable) for variable in layer.variables}
        for parameter in _of_layer(layer):
            place = own.get(parameter.name)
            if place in names:
                kernel = parameter.kernel and replace(
                    parameter.kernel, name=names[own[parameter.kernel.name]]
                )
                known = {"name": names[place], "kernel": kernel, "layer": type(layer).__name__}
                found[place] = replace(parameter, **known)
    return list(found.values())


def _of_layer(layer: Any) -> Iterator[Parameter]:
    """Yield the parameters that a layer itself owns."""
    if isinstance(layer, _NORMS):
        yield from (Parameter(v.path, tuple(v.shape), "norm") for v in layer.variables)
    elif isinstance(layer, layers.Embedding):
        axes: tuple[Axis, ...] = ("in", "out")
        yield from (
            Parameter(v.path, tuple(v.shape), "embedding", axes, roles=("embedding",))
            for v in layer.variables
        )
    elif type(layer).__name__ in _GATES:
        yield from _of_cell(layer, _GATES[type(layer).__name__])
    elif isinstance(layer, layers.SeparableConv1D | layers.SeparableConv2D):
        yield from _separable(layer)
    else:
        yield from _kernel_and_bias(layer)


def _kernel_and_bias(layer: Any) -> Iterator[Parameter]:
    kernel = _kernel(layer)
    if kernel is not None:
        yield kernel
        if getattr(layer, "bias", None) is not None:
            yield Parameter(layer.bias.path, tuple(layer.bias.shape), "bias", kernel=kernel)


def _kernel(layer: Any) -> Parameter | None:
    variable = getattr(layer, "kernel", None)
    if variable is None or not hasattr(variable, "path"):
        return None
    base = Parameter(variable.path, tuple(variable.shape), "kernel")
    taps = len(base.shape) - 2
    if isinstance(layer, layers.Dense):
        return replace(base, axes=("in", "out"))
    if isinstance(layer, layers.EinsumDense):
        axes, found = _einsum_axes(layer.equation, len(base.shape)), _ATTENTION.get(layer.name, ())
        heads = base.shape[_HEADS[axes]] if found and axes in _HEADS else 0
        return replace(base, axes=axes, roles=found, heads=heads)
    if isinstance(layer, layers.DepthwiseConv1D | layers.DepthwiseConv2D):
        return replace(base, axes=_conv_axes(taps, "in", "multiplier"))
    how: dict[str, Any]
    if isinstance(layer, layers.Conv1DTranspose | layers.Conv2DTranspose | layers.Conv3DTranspose):
        how = {"strides": tuple(layer.strides), "stride": math.prod(layer.strides), "transposed": True}
        return replace(base, axes=_conv_axes(taps, "out", "in"), **how)
    if isinstance(layer, layers.Conv1D | layers.Conv2D | layers.Conv3D):
        how = {"groups": layer.groups, "strides": tuple(layer.strides)}
        if layer.padding == "same":
            how["pads"] = same_pads(layer.kernel_size, layer.strides)
        return replace(base, axes=_conv_axes(taps, "in", "out"), **how)
    return base if type(layer).__module__.startswith("keras.") else replace(base, kind="unknown")


def _conv_axes(taps: int, first: Axis, second: Axis) -> tuple[Axis, ...]:
    around: tuple[Axis, ...] = ("tap",) * taps
    return (*around, first, second)


def _einsum_axes(equation: str, rank: int) -> tuple[Axis, ...]:
    """Return the axes of an EinsumDense kernel: those the output has are outputs, the others are summed."""
    inputs, _, output = equation.replace(" ", "").partition("->")
    kernel = inputs.split(",")[1]
    return tuple("out" if letter in output else "in" for letter in kernel) if len(kernel) == rank else ()


def _of_cell(cell: Any, gates: tuple[str, ...]) -> Iterator[Parameter]:
    packed: dict[str, Any] = {"gates": max(len(gates), 1), "gate_names": gates}
    kernel = Parameter(cell.kernel.path, tuple(cell.kernel.shape), "kernel", ("in", "out"), **packed)
    yield kernel
    recurrent = cell.recurrent_kernel
    shape, roles = tuple(recurrent.shape), ("recurrent",)
    yield Parameter(recurrent.path, shape, "recurrent", ("in", "out"), roles=roles, **packed)
    if cell.bias is not None:
        yield Parameter(cell.bias.path, tuple(cell.bias.shape), "bias", kernel=kernel, **packed)


def _separable(layer: Any) -> Iterator[Parameter]:
    depthwise, pointwise = layer.depthwise_kernel, layer.pointwise_kernel
    taps = len(depthwise.shape) - 2
    yield Parameter(depthwise.path, tuple(depthwise.shape), "kernel", _conv_axes(taps, "in", "multiplier"))
    kernel = Parameter(pointwise.path, tuple(pointwise.shape), "kernel", _conv_axes(taps, "in", "out"))
    yield kernel
    if layer.bias is not None:
        yield Parameter(layer.bias.path, tuple(layer.bias.shape), "bias", kernel=kernel)
