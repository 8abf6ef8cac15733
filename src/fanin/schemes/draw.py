"""The values of a parameter: a function of its distribution, its key and the place of each value."""

from __future__ import annotations

import math
from functools import singledispatch
from typing import Any

import numpy as np

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.random.fill import fill_normal, fill_truncated_normal, fill_uniform
from fanin.schemes.distributions import (
    Constant,
    DeltaOrthogonal,
    Distribution,
    Identity,
    Normal,
    Orthogonal,
    PerGate,
    Sparse,
    TruncatedNormal,
    Uniform,
)
from fanin.schemes.haar import haar
from fanin.schemes.matrices import Matrices, matrices


def draw(distribution: Distribution, parameter: Parameter, key: int) -> np.ndarray:
    """Return the values of a parameter.

    Args:
        distribution: What they are drawn from.
        parameter: Its shape and the meaning of its axes.
        key: Of (seed, parameter name), see `fanin.random.philox.key_of`.

    Returns:
        float32 of the parameter's shape.

    Raises:
        FaninError: The distribution needs axes that nobody knows, or does not fit them.

    Example:
        >>> from fanin.random.philox import key_of
        >>> w = draw(Orthogonal(2.0), Parameter("w", (4, 6), "kernel", ("out", "in")), key_of(0, "w"))
        >>> bool(np.allclose(w @ w.T, 4 * np.eye(4), atol=1e-6))
        True
    """
    if is_elementwise(distribution):
        values = np.empty(parameter.shape, np.float32)
        fill(distribution, values.reshape(-1), key)
    else:
        values = _assembled(distribution, parameter, key)
    if parameter.padding is not None:
        values[parameter.padding] = 0.0
    return values


def is_elementwise(distribution: Distribution) -> bool:
    """Return whether every value is drawn for itself, so that a part can be drawn without the rest."""
    return isinstance(distribution, Constant | Normal | TruncatedNormal | Uniform)


@singledispatch
def fill(distribution: Any, out: np.ndarray, key: int, start: int = 0) -> None:
    """Fill a flat array with the values from place `start` on of an elementwise distribution."""
    raise FaninError(f"{distribution!r} cannot be drawn.", expected="a distribution of fanin.schemes")


@fill.register
def _(distribution: Constant, out: np.ndarray, key: int, start: int = 0) -> None:
    out[...] = distribution.value


@fill.register
def _(distribution: Normal, out: np.ndarray, key: int, start: int = 0) -> None:
    fill_normal(out, key, distribution.mean, distribution.sd, start=start)


@fill.register
def _(distribution: TruncatedNormal, out: np.ndarray, key: int, start: int = 0) -> None:
    bounds = distribution.low, distribution.high
    fill_truncated_normal(out, key, distribution.mean, distribution.sd, *bounds, start=start)


@fill.register
def _(distribution: Uniform, out: np.ndarray, key: int, start: int = 0) -> None:
    fill_uniform(out, key, distribution.low, distribution.high, start=start)


def _assembled(distribution: Any, parameter: Parameter, key: int) -> np.ndarray:
    if isinstance(distribution, PerGate):
        return _by_gate(distribution, parameter, key)
    inside = matrices(parameter)
    values = np.zeros((inside.count, inside.outputs, inside.inputs, math.prod(inside.taps)), np.float32)
    _put(distribution, values, inside, key)
    return inside.together(values, parameter.shape)


@singledispatch
def _put(distribution: Any, values: np.ndarray, inside: Matrices, key: int) -> None:
    """Write the values of all matrices, (count, outputs, inputs, taps), which are 0 so far."""
    raise FaninError(f"{distribution!r} cannot be drawn.", expected="a distribution of fanin.schemes")


@_put.register
def _(distribution: Orthogonal, values: np.ndarray, inside: Matrices, key: int) -> None:
    flat = values.reshape(inside.count, inside.outputs, -1)
    for place in range(inside.count):
        flat[place] = distribution.gain * _orthogonal(flat.shape[1:], key, place)


@_put.register
def _(distribution: DeltaOrthogonal, values: np.ndarray, inside: Matrices, key: int) -> None:
    for place in range(inside.count):
        size = (inside.outputs, inside.inputs)
        values[place, :, :, inside.centre] = distribution.gain * _orthogonal(size, key, place)


@_put.register
def _(distribution: Identity, values: np.ndarray, inside: Matrices, key: int) -> None:
    values[:, :, :, inside.centre] = distribution.gain * np.eye(inside.outputs, inside.inputs)


@_put.register
def _(distribution: Sparse, values: np.ndarray, inside: Matrices, key: int) -> None:
    flat = values.reshape(inside.count * inside.outputs, -1)
    fill_normal(flat.reshape(-1), key, 0.0, distribution.sd)
    ranks = np.empty_like(flat)
    fill_uniform(ranks.reshape(-1), key, 0.0, 1.0, start=flat.size)
    if distribution.count < flat.shape[1]:
        dropped = np.argpartition(ranks, distribution.count, axis=1)[:, distribution.count :]
        np.put_along_axis(flat, dropped, 0.0, axis=1)


def _orthogonal(size: tuple[int, ...], key: int, place: int) -> np.ndarray:
    rows, columns = max(size), min(size)
    gaussian = np.empty((rows, columns))
    fill_normal(gaussian.reshape(-1), key, 0.0, 1.0, start=place * rows * columns)
    q = haar(gaussian)
    return q if size[0] >= size[1] else q.T


def _by_gate(distribution: PerGate, parameter: Parameter, key: int) -> np.ndarray:
    """Return a parameter whose gates, packed into the "out" axis, are drawn from other distributions."""
    axis = parameter.axes.index("out") if parameter.axes else 0
    size = parameter.shape[axis] // len(distribution.gates)
    shape = tuple(size if i == axis else n for i, n in enumerate(parameter.shape))
    parts = []
    for place, gate in enumerate(distribution.gates):
        part = np.empty(shape, np.float32)
        fill(gate, part.reshape(-1), key, place * part.size)
        parts.append(part)
    return np.concatenate(parts, axis=axis)
