"""Products: of a value and a kernel, of two values, and convolutions."""

from __future__ import annotations

import itertools
import string
from collections.abc import Sequence
from typing import Any

from fanin.frameworks.jax.graph.builder import Builder
from fanin.frameworks.jax.graph.table import converts
from fanin.frameworks.jax.graph.values import Value


@converts("dot_general")
def _product(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    aval = equation.outvars[0].aval
    left, right, out = letters(equation.params["dimension_numbers"], *(len(value.shape) for value in inputs))
    operands = list(zip(inputs, (left, right), strict=True))
    kernels = [graph.is_weight(value) for value in inputs]
    if kernels[0] and not kernels[1] and graph.varies(inputs[1]):
        operands.reverse()
    is_linear = any(kernels) and any(graph.varies(value) for value in inputs)
    (one, first), (other, second) = operands
    op = "linear" if is_linear else "matmul"
    return graph.add(op, (one, other), aval.shape, aval.dtype, equation=f"{first},{second}->{out}")


def letters(dimensions: Any, left: int, right: int) -> tuple[str, str, str]:
    """Return the axes of a product's operands and of its result as letters.

    Args:
        dimensions: JAX' dimension numbers: the summed axes, and those that both and the result have.
        left: Axes of the left operand.
        right: Axes of the right one.

    Example:
        >>> letters((((2,), (0,)), ((), ())), 3, 2)
        ('abc', 'cd', 'abd')
    """
    (summed_left, summed_right), (shared_left, shared_right) = dimensions
    fresh = iter(string.ascii_lowercase + string.ascii_uppercase)
    one = [next(fresh) for _ in range(left)]
    other = [""] * right
    for mine, yours in itertools.chain(
        zip(summed_left, summed_right, strict=True), zip(shared_left, shared_right, strict=True)
    ):
        other[yours] = one[mine]
    other = [letter or next(fresh) for letter in other]
    shared = [one[axis] for axis in shared_left]
    free = [letter for axis, letter in enumerate(one) if axis not in (*summed_left, *shared_left)]
    rest = [letter for axis, letter in enumerate(other) if axis not in (*summed_right, *shared_right)]
    return "".join(one), "".join(other), "".join((*shared, *free, *rest))


@converts("conv_general_dilated")
def _convolution(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value | None:
    given, aval = equation.params, equation.outvars[0].aval
    if given["batch_group_count"] != 1:
        return None
    axes = given["dimension_numbers"]
    return graph.add(
        "convolution",
        inputs,
        aval.shape,
        aval.dtype,
        x_axes=tuple(axes.lhs_spec),
        kernel_axes=tuple(axes.rhs_spec),
        y_axes=tuple(axes.out_spec),
        stride=tuple(given["window_strides"]),
        padding=tuple(map(tuple, given["padding"])),
        dilation=tuple(given["rhs_dilation"]),
        input_dilation=tuple(given["lhs_dilation"]),
        groups=given["feature_group_count"],
    )
