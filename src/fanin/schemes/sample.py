"""Values of a distribution, drawn from a stream."""

from __future__ import annotations

import math
from functools import singledispatch
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from fanin.errors import FaninError
from fanin.schemes.distributions import (
    Constant,
    Identity,
    Normal,
    Orthogonal,
    TruncatedNormal,
    Uniform,
)


@singledispatch
def sample(distribution: Any, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Return values of a distribution, float32 of the given shape.

    Args:
        distribution: One of `fanin.schemes.distributions`.
        shape: Shape of the values; matrices of more axes are flattened to (everything else, last).
        generator: Where the randomness comes from.

    Raises:
        FaninError: Values of this distribution cannot be drawn.

    Example:
        >>> from fanin.random.streams import stream
        >>> sample(Uniform(-1.0, 1.0), (2, 3), stream(0, "kernel")).shape
        (2, 3)
    """
    raise FaninError(f"{distribution!r} cannot be drawn.", expected="a distribution of fanin.schemes")


@sample.register
def _(distribution: Constant, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    return np.full(shape, distribution.value, np.float32)


@sample.register
def _(distribution: Normal, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    values = generator.standard_normal(shape, np.float32)
    return values * np.float32(distribution.sd) + np.float32(distribution.mean)


@sample.register
def _(distribution: Uniform, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    return generator.uniform(distribution.low, distribution.high, shape).astype(np.float32)


@sample.register
def _(distribution: TruncatedNormal, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    # Inverse CDF: one uniform a value, no rejection, exact bounds.
    low, high = ndtr(distribution.low), ndtr(distribution.high)
    values = ndtri(low + (high - low) * generator.random(shape))
    return (distribution.mean + distribution.sd * values).astype(np.float32)


@sample.register
def _(distribution: Orthogonal, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    rows, columns = math.prod(shape[:-1]), shape[-1]
    gaussian = generator.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(gaussian)
    q = q * np.sign(np.diagonal(r))  # makes the distribution uniform (Haar) over orthogonal matrices
    return (distribution.gain * (q if rows >= columns else q.T)).reshape(shape).astype(np.float32)


@sample.register
def _(distribution: Identity, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    return (distribution.gain * _eye(shape)).astype(np.float32)


def _eye(shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) != 2:
        raise FaninError(f"There is no identity of shape {shape}.", expected="a matrix")
    return np.eye(shape[0], shape[1])
