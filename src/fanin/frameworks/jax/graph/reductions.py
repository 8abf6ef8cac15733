"""Reductions over whole axes and over windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin.frameworks.jax.graph.builder import Builder
from fanin.frameworks.jax.graph.elementwise import elementwise
from fanin.frameworks.jax.graph.table import converts
from fanin.frameworks.jax.graph.values import Known, Value

_FUNCTIONS = {"reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min"}
_OVER_DEVICES = {"psum": "sum", "psum_invariant": "sum", "pmax": "max", "pmin": "min"}


@converts(*_FUNCTIONS)
def _reduce(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    aval = equation.outvars[0].aval
    axes = tuple(sorted(equation.params["axes"]))
    if not axes:
        return inputs[0]
    function = _FUNCTIONS[equation.primitive.name]
    return graph.add(
        "reduce", inputs, aval.shape, aval.dtype, stem=function, function=function, axes=axes, keep=False
    )


@converts(*_OVER_DEVICES)
def _reduce_mapped(graph: Builder, equation: Any, inputs: Sequence[Value]) -> list[Value] | None:
    """Reduce over an axis that jax.vmap named: it is one of the value's own."""
    axes = equation.params["axes"]
    if not all(isinstance(axis, int) for axis in axes) or equation.params.get("axis_index_groups"):
        return None
    function = _OVER_DEVICES[equation.primitive.name]
    more: dict[str, Any] = {"function": function, "axes": tuple(sorted(axes)), "keep": False}
    return [
        graph.add("reduce", (value,), var.aval.shape, var.aval.dtype, stem=function, **more)
        for value, var in zip(inputs, equation.outvars, strict=True)
    ]


@converts("reduce_window_max", "reduce_window_sum")
def _window(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value | None:
    given, aval = equation.params, equation.outvars[0].aval
    if any(n != 1 for n in given["base_dilation"]):
        return None
    sizes = given["window_dimensions"]
    axes = tuple(axis for axis, size in enumerate(sizes) if size != 1 or given["window_strides"][axis] != 1)
    if not axes:
        return inputs[0]
    kind = "max" if equation.primitive.name.endswith("max") else "average"
    pooled = graph.add(
        "pool",
        inputs,
        aval.shape,
        aval.dtype,
        stem=f"{kind}_pool",
        kind=kind,
        axes=axes,
        window=tuple(sizes[axis] for axis in axes),
        stride=tuple(given["window_strides"][axis] for axis in axes),
        padding=tuple(tuple(given["padding"][axis]) for axis in axes),
        dilation=tuple(given["window_dilation"][axis] for axis in axes),
        count_pad=True,
    )
    if kind == "max":
        return pooled
    return elementwise(graph, "multiply", (pooled, Known(np.asarray(math.prod(sizes), aval.dtype))), aval)
