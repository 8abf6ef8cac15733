"""The values of a parameter: a function of its distribution, its key and the place of each value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.random.many import Single, Tile, compiled_pays, tiles
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
    return draw_many([distribution], parameter, [key])[0].reshape(parameter.shape)


def draw_many(
    distributions: Sequence[Distribution], parameter: Parameter, keys: Sequence[int]
) -> list[np.ndarray]:
    """Return what `draw` does for each of some distributions and keys, in a fraction of the time.

    Args:
        distributions: What is drawn from; those of single values share their random words.
        parameter: As for `draw`.
        keys: As for `draw`.

    Returns:
        For each distribution, float32 of (keys, *shape).

    Raises:
        FaninError: As for `draw`.

    Example:
        >>> from fanin.random.philox import key_of
        >>> kernel, keys = Parameter("w", (4, 6), "kernel", ("out", "in")), [key_of(s, "w") for s in (0, 1)]
        >>> one, other = draw_many([Normal(0.0, 1.0), Uniform(0.0, 1.0)], kernel, keys)
        >>> one.shape, bool((one[1] == draw(Normal(0.0, 1.0), kernel, keys[1])).all())
        ((2, 4, 6), True)
    """
    alone = [distribution for distribution in distributions if is_elementwise(distribution)]
    drawn = {distribution: np.empty((len(keys), *parameter.shape), np.float32) for distribution in alone}
    _fill_rows({each: values.reshape(len(keys), -1) for each, values in drawn.items()}, keys)
    for distribution in distributions:
        if distribution not in drawn:
            drawn[distribution] = _assembled(distribution, parameter, keys)
    if parameter.padding is not None:
        for values in drawn.values():
            values[:, parameter.padding] = 0.0
    return [drawn[distribution] for distribution in distributions]


def is_elementwise(distribution: Distribution) -> bool:
    """Return whether every value is drawn for itself, so that a part can be drawn without the rest."""
    return isinstance(distribution, Constant | Normal | TruncatedNormal | Uniform)


def fill(distribution: Distribution, out: np.ndarray, key: int, start: int = 0) -> None:
    """Fill a flat array with the values from place `start` on of an elementwise distribution."""
    _write(distribution, out, Single(key, start))


def _fill_rows(wanted: Mapping[Any, np.ndarray], keys: Sequence[int], start: int = 0) -> None:
    """Fill arrays of (keys, count), an elementwise distribution each, with values from a place on."""
    count = max((rows.shape[1] for rows in wanted.values()), default=0)
    compiled = compiled_pays(len(keys) * count)
    if len(keys) > 1 and not compiled:
        for place, tile in tiles(keys, count, start):
            for distribution, rows in wanted.items():
                _write(distribution, rows[place], tile)
        return
    for distribution, rows in wanted.items():
        for row, key in zip(rows, keys, strict=True):
            _write(distribution, row, Single(key, start, compiled=compiled))


@singledispatch
def _write(distribution: Any, out: np.ndarray, values: Single | Tile) -> None:
    """Write values of an elementwise distribution."""
    raise FaninError(f"{distribution!r} cannot be drawn.", expected="a distribution of fanin.schemes")


@_write.register
def _(distribution: Constant, out: np.ndarray, values: Single | Tile) -> None:
    out[...] = distribution.value


@_write.register
def _(distribution: Normal, out: np.ndarray, values: Single | Tile) -> None:
    values.normal(out, distribution.mean, distribution.sd)


@_write.register
def _(distribution: TruncatedNormal, out: np.ndarray, values: Single | Tile) -> None:
    values.normal(out, distribution.mean, distribution.sd, distribution.low, distribution.high)


@_write.register
def _(distribution: Uniform, out: np.ndarray, values: Single | Tile) -> None:
    values.uniform(out, distribution.low, distribution.high)


def _assembled(distribution: Any, parameter: Parameter, keys: Sequence[int]) -> np.ndarray:
    """Return (keys, *shape) of a distribution that is made of more than single values."""
    if isinstance(distribution, PerGate):
        return _by_gate(distribution, parameter, keys)
    inside = matrices(parameter)
    taps = math.prod(inside.taps)
    values = np.zeros((len(keys), inside.count, inside.outputs, inside.inputs, taps), np.float32)
    _put(distribution, values, inside, keys)
    return np.stack([inside.together(each, parameter.shape) for each in values])


@singledispatch
def _put(distribution: Any, values: np.ndarray, inside: Matrices, keys: Sequence[int]) -> None:
    """Write the values of all matrices, (keys, count, outputs, inputs, taps), which are 0 so far."""
    raise FaninError(f"{distribution!r} cannot be drawn.", expected="a distribution of fanin.schemes")


@_put.register
def _(distribution: Orthogonal, values: np.ndarray, inside: Matrices, keys: Sequence[int]) -> None:
    flat = values.reshape(*values.shape[:3], -1)
    np.multiply(_orthogonal(flat.shape, keys), distribution.gain, out=flat)


@_put.register
def _(distribution: DeltaOrthogonal, values: np.ndarray, inside: Matrices, keys: Sequence[int]) -> None:
    values[..., inside.centre] = distribution.gain * _orthogonal(values.shape[:-1], keys)


@_put.register
def _(distribution: Identity, values: np.ndarray, inside: Matrices, keys: Sequence[int]) -> None:
    values[..., inside.centre] = distribution.gain * np.eye(inside.outputs, inside.inputs)


@_put.register
def _(distribution: Sparse, values: np.ndarray, inside: Matrices, keys: Sequence[int]) -> None:
    units = values.reshape(len(keys), inside.count * inside.outputs, -1)
    flat, ranks = values.reshape(len(keys), -1), np.empty_like(units)
    _fill_rows({Normal(0.0, distribution.sd): flat}, keys)
    _fill_rows({Uniform(0.0, 1.0): ranks.reshape(flat.shape)}, keys, flat.shape[1])
    if distribution.count < units.shape[-1]:
        dropped = np.argpartition(ranks, distribution.count, axis=-1)[..., distribution.count :]
        np.put_along_axis(units, dropped, 0.0, axis=-1)


def _orthogonal(shape: tuple[int, ...], keys: Sequence[int]) -> np.ndarray:
    """Return orthogonal matrices, float32 of a shape (keys, count, rows, columns)."""
    gaussian = np.empty((*shape[:2], *sorted(shape[2:])), np.float32)
    _fill_rows({Normal(0.0, 1.0): gaussian.reshape(len(keys), -1)}, keys)
    q = haar(gaussian)
    return q if shape[2] >= shape[3] else q.swapaxes(2, 3)


def _by_gate(distribution: PerGate, parameter: Parameter, keys: Sequence[int]) -> np.ndarray:
    """Return a parameter whose gates, packed into the "out" axis, are drawn from other distributions."""
    axis = parameter.axes.index("out") if parameter.axes else 0
    size = parameter.shape[axis] // len(distribution.gates)
    shape = tuple(size if i == axis else n for i, n in enumerate(parameter.shape))
    parts = []
    for place, gate in enumerate(distribution.gates):
        part = np.empty((len(keys), *shape), np.float32)
        flat = part.reshape(len(keys), -1)
        _fill_rows({gate: flat}, keys, place * flat.shape[1])
        parts.append(part)
    return np.concatenate(parts, axis=axis + 1)
