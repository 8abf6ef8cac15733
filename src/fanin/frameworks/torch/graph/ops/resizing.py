"""Sums along axes with known weights: interpolations, pools over windows of several sizes, patches."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_lowercase
from typing import Any

import torch

from fanin.frameworks.torch.graph.call import Call, Result, converts
from fanin.frameworks.torch.graph.ops.convolutions import spread
from fanin.frameworks.torch.graph.values import Value

OTHERS = 2
"""Size of other axes than the one that is looked at: of axes of size 1 some operations make a mistake."""


def summed_along(call: Call, x: Value, axis: int, matrix: torch.Tensor) -> Value:
    """Return sums along an axis, with weights that are known.

    Args:
        call: The operation.
        x: What is summed.
        axis: The axis.
        matrix: The weights, (outputs, inputs); nothing is done if it is the identity.
    """
    if torch.equal(matrix, torch.eye(len(matrix))):
        return x
    letters = ascii_lowercase[: x.ndim]
    out = letters[:axis] + "z" + letters[axis + 1 :]
    shape = (*x.shape[:axis], len(matrix), *x.shape[axis + 1 :])
    matrix = matrix.to(getattr(torch, x.dtype))
    weights = Value(tuple(matrix.shape), x.dtype, tensor=matrix)
    equation = f"{letters},z{letters[axis]}->{out}"
    return call.graph.emit("matmul", [x, weights], shape, x.dtype, equation=equation)


def response(
    function: Callable[[torch.Tensor], torch.Tensor], size: int, axes: int, axis: int
) -> torch.Tensor:
    """Return the matrix of a linear operation along one of several axes, (outputs, inputs).

    Args:
        function: The operation on (1, channels, *axes), which keeps what is the same along other axes.
        size: Of the axis; the others have size `OTHERS`.
        axes: How many axes there are.
        axis: Which one it is.
    """
    alone, shape = [1] * axes, [OTHERS] * axes
    alone[axis] = shape[axis] = size
    with torch.device("cpu"), torch.no_grad():
        basis = torch.eye(size, dtype=torch.float64).reshape(1, size, *alone).expand(1, size, *shape)
        made = function(basis.contiguous())[0].movedim(1 + axis, 1)
    return made.reshape(size, made.shape[1], -1)[..., 0].T.float().contiguous()


@converts(
    "upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d",
    "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "_upsample_nearest_exact1d",
    "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
)  # fmt: skip
def _interpolated(call: Call) -> Result:
    x = call.x
    for axis in range(2, x.ndim):
        x = interpolated(call, x, axis)
    return x


def interpolated(call: Call, x: Value, axis: int) -> Value:
    """Return a value of the size along an axis that a call's result has, by the call's own interpolation."""
    axes, size, new = x.ndim - 2, x.shape[axis], call.shape[axis]
    target: Any = getattr(torch.ops.aten, call.target.removeprefix("aten."))
    sizes = [OTHERS] * axes
    sizes[axis - 2] = new
    scales = [_scale(call, at, axes) if at == axis - 2 else None for at in range(axes)]
    more = [call["align_corners"]] if "align_corners" in call.arguments else []

    def along(basis: torch.Tensor) -> torch.Tensor:
        return target(basis, sizes, *more, *scales)

    return summed_along(call, x, axis, response(along, size, axes, axis - 2))


def _scale(call: Call, axis: int, axes: int) -> float | None:
    """Return the scale that a call names for an axis; None where it follows from the sizes."""
    if (factors := call.get("scale_factors")) is not None:
        return float(factors[axis])
    names = {1: ("scales",), 2: ("scales_h", "scales_w"), 3: ("scales_d", "scales_h", "scales_w")}
    return call.get(names[axes][axis])


def averaged_to(call: Call, x: Value, axis: int, size: int) -> Value:
    """Return means over windows that cover an axis evenly, so many of them."""
    if size == x.shape[axis]:
        return x

    def along(basis: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool1d(basis, size)

    return summed_along(call, x, axis, response(along, x.shape[axis], 1, 0))


@converts("im2col")
def _patches(call: Call) -> Result:
    """Return (batch, channels * window, windows), each window a column; what lies outside is 0."""
    x: Value = call.x
    if x.ndim < 4:
        return call.opaque("of one example")
    names = ("kernel_size", "stride", "padding", "dilation")
    window, stride, padding, dilation = (spread(call[name], 2) for name in names)
    batch, channels, *sizes = x.shape
    counts = []
    for at in (0, 1):
        taps = torch.arange(window[at])[:, None] * dilation[at] - padding[at]
        count = (sizes[at] + 2 * padding[at] - dilation[at] * (window[at] - 1) - 1) // stride[at] + 1
        places = (taps + torch.arange(count) * stride[at]).flatten()
        x = summed_along(call, x, 2 + at, _selection(places, sizes[at]))
        counts.append(count)
    apart = call.graph.reshape(x, (batch, channels, window[0], counts[0], window[1], counts[1]))
    return call.graph.reshape(call.graph.permute(apart, (0, 1, 2, 4, 3, 5)), call.shape)


def _selection(places: torch.Tensor, size: int) -> torch.Tensor:
    """Return the matrix that takes places along an axis, and 0 for places outside of it."""
    return (places[:, None] == torch.arange(size)).float()
