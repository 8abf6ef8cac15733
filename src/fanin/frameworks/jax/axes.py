"""The meaning of a kernel's axes, as the layers of JAX's libraries define it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from fanin.graph.parameter import Axis

Axes = tuple[Axis, ...]


def taps(kernel_size: int | Sequence[int]) -> Axes:
    """Return an axis for every spatial dimension of a convolution."""
    return ("tap",) * (1 if isinstance(kernel_size, int) else len(kernel_size))


def product(sizes: int | Sequence[int] | None, dimensions: int) -> int:
    """Return the product of strides or dilations that may be given as one number, or not at all.

    Example:
        >>> product((2, 3), 2), product(2, 2), product(None, 2)
        (6, 4, 1)
    """
    return math.prod(along(sizes, dimensions))


def along(sizes: int | Sequence[int] | None, dimensions: int) -> tuple[int, ...]:
    """Return strides that may be given as one number, or not at all, one for each dimension.

    Example:
        >>> along((2, 3), 2), along(2, 2), along(None, 2)
        ((2, 3), (2, 2), (1, 1))
    """
    if sizes is None or isinstance(sizes, int):
        return (sizes or 1,) * dimensions
    return tuple(sizes)


def general(batch: int, inputs: int, outputs: int) -> Axes:
    """Return the axes of a layer that contracts several axes and makes several."""
    counts: tuple[tuple[Axis, int], ...] = (("expert", batch), ("in", inputs), ("out", outputs))
    return tuple(axis for axis, count in counts for _ in range(count))


def einsum(equation: str, rank: int) -> Axes:
    """Return the axes of an einsum's second operand; none where they are not plain.

    An axis of the kernel that only the output has is an output, one that the inputs have too runs over
    matrices side by side, and one that the output lacks is summed.

    Example:
        >>> einsum("btd,dhk->bthk", 3), einsum("end,edf->enf", 3), einsum("...d,...d->...", 2)
        (('in', 'out', 'out'), ('expert', 'in', 'out'), ())
    """
    operands, _, output = equation.replace(" ", "").partition("->")
    inputs, _, kernel = operands.partition(",")
    plain = kernel.isalpha() and len(set(kernel)) == len(kernel) == rank
    return tuple(_letter(letter, inputs, output) for letter in kernel) if plain else ()


def _letter(letter: str, inputs: str, output: str) -> Axis:
    if letter not in output:
        return "in"
    return "expert" if letter in inputs else "out"


def stacked(axes: Axes, own: Sequence[int], shape: Sequence[int]) -> Axes:
    """Return the axes of a kernel that may be a stack of a layer's own kernels.

    Args:
        axes: Axes of the layer's kernel.
        own: Shape that the layer gives it.
        shape: Shape that it has: vmap and scan put axes in it, as a rule in front.

    Returns:
        The axes with an "expert" for every stacked one; none where the shapes do not fit.

    Example:
        >>> stacked(("in", "out"), (4, 8), (12, 4, 8)), stacked(("in", "out"), (4, 8), (5, 5))
        (('expert', 'in', 'out'), ())
    """
    own, shape = tuple(own), tuple(shape)
    more = len(shape) - len(own)
    if more < 0 or len(axes) != len(own):
        return ()
    for places in itertools.combinations(range(len(shape)), more):
        if tuple(n for place, n in enumerate(shape) if place not in places) == own:
            rest = iter(axes)
            return tuple("expert" if place in places else next(rest) for place in range(len(shape)))
    return ()
