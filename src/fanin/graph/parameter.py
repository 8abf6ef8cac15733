"""A parameter and what each of its axes means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Axis = Literal["in", "out", "tap", "multiplier"]
"""An axis of a weight: input or output units, kernel taps, or a depthwise multiplier."""

Kind = Literal["kernel", "recurrent", "bias", "embedding", "norm", "unknown"]
"""What a parameter does; only kernels and recurrent kernels are weights that schemes reach."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a model, free of any framework.

    Args:
        name: Its path in the model.
        shape: Its shape.
        kind: What it does.
        axes: The meaning of every axis; empty where nobody knows.
        gates: Gates packed into the "out" axis (4 for an LSTM): each is a matrix of its own.
        groups: Groups of channels of a convolution.
        stride: Product of the strides of a transposed convolution, else 1.
        transposed: Whether it is a transposed convolution's kernel.
        kernel: For a bias, the kernel of its layer.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind = "unknown"
    axes: tuple[Axis, ...] = ()
    gates: int = 1
    groups: int = 1
    stride: int = 1
    transposed: bool = False
    kernel: Parameter | None = None
