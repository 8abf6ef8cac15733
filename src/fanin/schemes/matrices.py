"""The matrices inside of a parameter, whatever the order of its axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter


@dataclass(frozen=True)
class Matrices:
    """How a parameter splits into matrices of (outputs, inputs, taps): experts, then gates or groups.

    Args:
        order: The parameter's axes in the order experts, outputs, inputs, taps.
        experts: Matrices side by side on axes of their own.
        packed: Gates and groups, which share an axis.
        outputs: Rows of one matrix.
        inputs: Columns of one matrix, without taps.
        taps: The spatial axes.
        packed_inputs: Whether it is the inputs' axis that packs them (grouped transposed convolutions).
        strides: Along the taps' axes; empty where nobody knows.
        transposed: Whether it is a transposed convolution's.
        pads: Zeros before the first value along the taps' axes; empty where nobody knows.
    """

    order: tuple[int, ...]
    experts: int
    packed: int
    outputs: int
    inputs: int
    taps: tuple[int, ...]
    packed_inputs: bool
    strides: tuple[int, ...] = ()
    transposed: bool = False
    pads: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many matrices there are."""
        return self.experts * self.packed

    @property
    def centre(self) -> int:
        """The flat place of the centre tap."""
        return int(np.ravel_multi_index([(n - 1) // 2 for n in self.taps], self.taps)) if self.taps else 0

    @property
    def tile(self) -> list[int]:
        """The places of as many taps along each axis as its stride, behind the padding or in the middle.

        What they reach are patches that tile the image: none is left out, and none overlap.
        """
        strides = self.strides or (1,) * len(self.taps)
        middle = tuple(max(n - s + 1, 0) // 2 for n, s in zip(self.taps, strides, strict=True))
        starts = self.pads or middle
        sides = [range(at, n)[:s] for at, n, s in zip(starts, self.taps, strides, strict=True)]
        places = np.stack(np.meshgrid(*sides, indexing="ij")).reshape(len(sides), -1)
        return np.ravel_multi_index(tuple(places), self.taps).tolist() if self.taps else [0]

    @property
    def tiled(self) -> tuple[int, int]:
        """The sides of a matrix over the taps of `tile`: a transposed convolution has them at its outputs."""
        size = len(self.tile)
        if self.transposed:
            return self.outputs * size, self.inputs
        return self.outputs, self.inputs * size

    def together(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Return the parameter made of the matrices (count, outputs, inputs, taps)."""
        blocks = values.reshape(self.experts, self.packed, self.outputs, self.inputs, -1)
        if self.packed_inputs:
            blocks = blocks.swapaxes(1, 2)
        moved = blocks.reshape([shape[axis] for axis in self.order])
        return np.ascontiguousarray(moved.transpose(np.argsort(self.order)))


def matrices(parameter: Parameter) -> Matrices:
    """Return how a parameter splits into matrices.

    Raises:
        FaninError: The meaning of its axes is not known.

    Example:
        >>> lstm = Parameter("lstm", (32, 8), "recurrent", ("out", "in"), gates=4)
        >>> matrices(lstm).count, matrices(lstm).outputs
        (4, 8)
    """
    if len(parameter.axes) != len(parameter.shape) or not parameter.axes:
        raise FaninError(
            f"{parameter.name} {parameter.shape} is no matrix that fanin knows.",
            expected="a kernel of a known layer",
            fix="give it a distribution of single values, such as normal(stddev=0.02)",
        )
    depthwise = "multiplier" in parameter.axes
    places = {role: [i for i, axis in enumerate(parameter.axes) if axis == role] for role in parameter.axes}
    experts = places.get("expert", []) + (places.get("in", []) if depthwise else [])
    outputs = places.get("multiplier", []) + places.get("out", [])
    inputs = [] if depthwise else places.get("in", [])
    taps = places.get("tap", [])
    packed = parameter.gates * parameter.groups
    packed_inputs = parameter.transposed and parameter.groups > 1
    return Matrices(
        order=(*experts, *outputs, *inputs, *taps),
        experts=_size(parameter, experts),
        packed=packed,
        outputs=_size(parameter, outputs) // (1 if packed_inputs else packed),
        inputs=_size(parameter, inputs) // (packed if packed_inputs else 1),
        taps=tuple(parameter.shape[axis] for axis in taps),
        packed_inputs=packed_inputs,
        strides=parameter.strides,
        pads=parameter.pads,
        transposed=parameter.transposed,
    )


def _size(parameter: Parameter, axes: list[int]) -> int:
    return math.prod(parameter.shape[axis] for axis in axes)
