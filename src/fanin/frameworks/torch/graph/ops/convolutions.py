"""Convolutions and transposed convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from fanin.frameworks.torch.graph.call import Call, Result, converts
from fanin.frameworks.torch.graph.ops.products import floats
from fanin.frameworks.torch.graph.values import Value
from fanin.graph.signal import Attribute


@converts("conv1d", "conv2d", "conv3d")
def _convolution(call: Call) -> Result:
    kernel: Value = call["weight"]
    spatial = kernel.ndim - 2
    stride, dilation = (spread(call[name], spatial) for name in ("stride", "dilation"))
    padding = _padding(call["padding"], kernel.shape[2:], dilation)
    axes = tuple(range(kernel.ndim))
    return _emitted(
        call,
        kernel_axes=axes,
        stride=stride,
        padding=padding,
        dilation=dilation,
        input_dilation=(1,) * spatial,
        groups=call["groups"],
    )


@converts("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _transposed(call: Call) -> Result:
    """Return the convolution that a transposed one is: of its input with zeros between, taps reversed."""
    kernel: Value = call["weight"]
    spatial = kernel.ndim - 2
    names = ("stride", "padding", "output_padding", "dilation")
    stride, pads, more, dilation = (spread(call[name], spatial) for name in names)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel.shape[2:], strict=True)]
    padding = tuple((r - p, r - p + m) for r, p, m in zip(reach, pads, more, strict=True))
    return _emitted(
        call,
        kernel_axes=(1, 0, *range(2, kernel.ndim)),
        stride=(1,) * spatial,
        padding=padding,
        dilation=dilation,
        input_dilation=stride,
        groups=call["groups"],
        reversed=True,
    )


def _emitted(call: Call, **attributes: Attribute) -> Result:
    """Return the node of a convolution; of a single example, with an axis for the batch on the way."""
    x, kernel, bias = floats(call["input"]), call["weight"], call.get("bias")
    single = x.ndim == kernel.ndim - 1
    if single:
        x = call.graph.reshape(x, (1, *x.shape))
    axes = tuple(range(kernel.ndim))
    shape = (1, *call.shape) if single else call.shape
    inputs = [x, kernel, *([bias] if bias is not None else [])]
    how: dict[str, Attribute] = {"x_axes": axes, "y_axes": axes, **attributes}
    made = call.graph.add("convolution", inputs, shape, call.dtype, how)
    return call.graph.reshape(made, call.shape)


def spread(value: int | Sequence[int], count: int) -> tuple[int, ...]:
    """Return a number for each spatial axis."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * count if len(values) == 1 else values


def _padding(
    padding: str | int | Sequence[int], taps: Sequence[int], dilation: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    if padding == "valid":
        return ((0, 0),) * len(taps)
    if padding == "same":
        reach = [d * (k - 1) for d, k in zip(dilation, taps, strict=True)]
        return tuple((r // 2, r - r // 2) for r in reach)
    assert not isinstance(padding, str)
    return tuple((p, p) for p in spread(padding, len(taps)))
