"""Windows of convolutions and pools: which blocks of positions their taps read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fanin.theory.propagation.covariance import Covariance, from_blocks, joined, split, to_blocks
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

    def weights(self, length: int, padding: bool) -> Array:
        """Return the weight of each input in the mean over each window, (outputs, length).

        Args:
            length: Of the input.
            padding: Whether positions outside of it count.
        """
        outputs, taps = self.source.shape
        found = np.zeros((outputs, length))
        np.add.at(found, (np.arange(outputs)[:, None], self.source), self.inside)
        return found / (taps if padding else np.maximum(self.inside.sum(axis=1, keepdims=True), 1))


def shares(axes: list[Axis], outputs: list[np.ndarray], inputs: list[np.ndarray]) -> Array:
    """Return how often each tap of a block of outputs reads each block of inputs, (taps, blocks, blocks)."""
    found = np.ones((1, 1, 1))
    for axis, out, into in zip(axes, outputs, inputs, strict=True):
        one = axis.shares(out, into)
        found = np.einsum("tab,ucd->tuacbd", found, one).reshape(
            len(found) * len(one), found.shape[1] * one.shape[1], -1
        )
    return found


def gathered(reads: Array, sizes: Array, same: Array, apart: Array) -> tuple[Array, Array]:
    """Return the sum over taps of what they read of second moments.

    Args:
        reads: How often each tap reads each block, (taps, blocks, read blocks).
        sizes: Windows of each block, (blocks,).
        same: Of a position with itself, (read blocks,).
        apart: Of two positions, (read blocks, read blocks).

    Returns:
        The same for the windows: (blocks,) and (blocks, blocks). Taps that meet the same input from two
        windows have weights of their own, and add nothing.
    """
    both = np.einsum("tab,bc,tdc->ad", reads, apart, reads, optimize=True)
    read = reads.sum(axis=0)
    # No two windows of a block read the same position by the same tap.
    twice = np.divide(
        np.diag(both) - read @ np.diag(apart), sizes - 1, out=np.zeros(len(read)), where=sizes > 1
    )
    return read @ same, both + np.diag(twice)


def returned(reads: Array, outputs: Places, inputs: Places) -> Array:
    """Return how often outputs read each block of inputs by each tap, (taps, inputs, outputs)."""
    ratio = np.divide.outer(1 / np.asarray(inputs.sizes, float), 1 / np.asarray(outputs.sizes, float))
    return reads.swapaxes(1, 2) * ratio


def fitted(places: Places, shape: tuple[int, ...], labels: list[np.ndarray]) -> Places:
    """Return the blocks that labels stand for: the given ones, or one block of all positions."""
    parts = int(np.prod([label.max() + 1 for label in labels]))
    if parts == len(places.sizes):
        return places
    return Places((int(np.prod(shape)),), places.points)


def one_block(same: Array, apart: Array, places: Places) -> tuple[Array, Array]:
    """Return the means of second moments over blocks, (1,) and (1, 1), as if all positions were alike."""
    sizes = np.asarray(places.sizes, float)
    total = sizes.sum()
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    mean = float(same @ sizes / total)
    other = float(np.sum(pairs * apart) / max(total * (total - 1), 1.0)) if total > 1 else mean
    return np.array([mean]), np.array([[other]])


def over_blocks(found: Covariance, source: Places, target: Places) -> Covariance:
    """Return second moments of one block for all blocks, if they are others."""
    if len(source.sizes) == len(target.sizes):
        return found
    result = []
    for matrix in split(found):
        same, apart = to_blocks(matrix, source)
        blocks = len(target.sizes)
        result.append(from_blocks(np.repeat(same, blocks), np.tile(apart, (blocks, blocks)), target))
    return joined(*result)


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over windows, each position with a weight.

    Args:
        terms: Sum of a window's weights in each block, (blocks, read blocks).
        own: Sum of their squares, (blocks, read blocks).
        shared: Sum of the products of two windows' weights of a position, (blocks, blocks, read blocks).
        within: Product of a window's sums of weights in two blocks, (blocks, read blocks, read blocks).
        across: The same of two windows, (blocks, blocks, read blocks, read blocks).
        source: Blocks that are read.
        target: Blocks of the windows.
    """

    terms: Array
    own: Array
    shared: Array
    within: Array
    across: Array
    source: Places
    target: Places

    @classmethod
    def of(cls, weights: list[Array], source: Places, target: Places, labels: list, read: list) -> Sums:
        """Return the sums of an image.

        Args:
            weights: Of each input in each output, along each axis (outputs, inputs); elsewhere their product.
            source: Blocks that are read.
            target: Blocks of the windows.
            labels: The part of each output, along each axis.
            read: The part of each input, along each axis.
        """
        terms, own, sizes = np.ones((1, 1)), np.ones((1, 1)), np.ones(1)
        shared, within = np.ones((1, 1, 1)), np.ones((1, 1, 1))
        for weight, out, into in zip(weights, labels, read, strict=True):
            member, block = np.eye(int(out.max()) + 1)[out], np.eye(int(into.max()) + 1)[into]
            each, summed = weight @ block, member.T @ weight
            terms, own = np.kron(terms, summed @ block), np.kron(own, member.T @ weight**2 @ block)
            shared = np.kron(shared, np.einsum("ak,bk,kc->abc", summed, summed, block, optimize=True))
            within = np.kron(within, np.einsum("oa,ob,oc->abc", member, each, each, optimize=True))
            sizes = np.kron(sizes, member.sum(axis=0))
        one, pairs = np.eye(len(sizes)), np.maximum(np.outer(sizes, sizes) - np.diag(sizes), 1)
        shared = (shared - one[..., None] * own) / pairs[..., None]
        across = np.einsum("ac,bd->abcd", terms, terms) - one[..., None, None] * within
        return cls(
            terms / sizes[:, None],
            own / sizes[:, None],
            shared,
            within / sizes[:, None, None],
            across / pairs[..., None, None],
            source,
            target,
        )

    def moments(self, found: Covariance, places: Places) -> Covariance:
        """Return second moments of the sums from those of what is summed, which has blocks of its own."""
        result = []
        for matrix in split(found):
            same, apart = to_blocks(matrix, places)
            if len(self.source.sizes) != len(places.sizes):
                same, apart = one_block(same, apart, places)
            more = same - np.diag(apart)  # where two terms are the same position
            alone = np.einsum("acd,cd->a", self.within, apart) + self.own @ more
            both = np.einsum("abcd,cd->ab", self.across, apart) + self.shared @ more
            result.append(from_blocks(alone, both, self.target))
        return joined(*result)
