"""Windows of convolutions and pools: which blocks of positions their taps read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import Places


@dataclass(frozen=True, eq=False)
class Axis:
    """Windows along one axis.

    Args:
        source: The input position that a tap reads, (outputs, taps).
        inside: Whether it lies inside of the input, (outputs, taps).
    """

    source: np.ndarray
    inside: np.ndarray

    @classmethod
    def of(
        cls,
        length: int,
        outputs: int,
        taps: int,
        *,
        stride: int,
        before: int,
        dilation: int,
        between: int = 1,
    ) -> Axis:
        """Return the windows of some geometry.

        Args:
            length: Input positions.
            outputs: Output positions.
            taps: Positions of a window.
            stride: Between windows.
            before: Zeros before the first position.
            dilation: Between taps.
            between: Distance of neighbouring inputs: the stride of a transposed convolution.

        Example:
            >>> Axis.of(4, 4, 3, stride=1, before=1, dilation=1).inside.sum(axis=1).tolist()
            [2, 3, 3, 2]
        """
        at = np.arange(outputs)[:, None] * stride + np.arange(taps)[None, :] * dilation - before
        inside = (at >= 0) & (at <= (length - 1) * between) & (at % between == 0)
        return cls(np.where(inside, at // between, 0), inside)

    def shares(self, outputs: np.ndarray, inputs: np.ndarray) -> Array:
        """Return how often a tap of a part of the outputs reads each part of the inputs.

        Args:
            outputs: The part of each output, (outputs,).
            inputs: The part of each input, (inputs,).

        Returns:
            (taps, parts of outputs, parts of inputs).
        """
        read = np.eye(int(inputs.max()) + 1)[inputs][self.source] * self.inside[..., None]
        member = np.eye(int(outputs.max()) + 1)[outputs]
        return np.einsum("oa,otb->tab", member / member.sum(axis=0), read, optimize=True)


def shares(axes: list[Axis], outputs: list[np.ndarray], inputs: list[np.ndarray]) -> Array:
    """Return how often each tap of a block of outputs reads each block of inputs, (taps, blocks, blocks)."""
    found = np.ones((1, 1, 1))
    for axis, out, into in zip(axes, outputs, inputs, strict=True):
        one = axis.shares(out, into)
        found = np.einsum("tab,ucd->tuacbd", found, one).reshape(
            len(found) * len(one), found.shape[1] * one.shape[1], -1
        )
    return found


def gathered(reads: Array, same: Array, apart: Array) -> tuple[Array, Array]:
    """Return the sum over taps of what they read of second moments.

    Args:
        reads: How often each tap reads each block, (taps, blocks, read blocks).
        same: Of a position with itself, (read blocks,).
        apart: Of two positions, (read blocks, read blocks).

    Returns:
        The same for the windows: (blocks,) and (blocks, blocks). Taps that meet the same input from two
        windows have weights of their own, and add nothing.
    """
    return reads.sum(axis=0) @ same, np.einsum("tab,bc,tdc->ad", reads, apart, reads, optimize=True)


def returned(reads: Array, outputs: Places, inputs: Places) -> Array:
    """Return how often each tap of a block of inputs is read by each block of outputs, (taps, inputs, outputs)."""
    ratio = np.divide.outer(1 / np.asarray(inputs.sizes, float), 1 / np.asarray(outputs.sizes, float))
    return reads.swapaxes(1, 2) * ratio


def fitted(places: Places, shape: tuple[int, ...], labels: list[np.ndarray]) -> Places:
    """Return the blocks that labels stand for: the given ones, or one block of all positions."""
    parts = int(np.prod([label.max() + 1 for label in labels]))
    if parts == len(places.sizes):
        return places
    return Places((int(np.prod(shape)),), places.points)
