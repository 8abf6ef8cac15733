"""Values that are drawn each for itself, so that a part can be drawn without the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from fanin.errors import FaninError
from fanin.random.many import Single, Tile, compiled_pays, tiles
from fanin.schemes.complex import from_pairs, law_of_pairs
from fanin.schemes.distributions import (
    Constant,
    Distribution,
    Normal,
    SoftplusInverse,
    TruncatedNormal,
    Uniform,
)


def is_elementwise(distribution: Distribution) -> bool:
    """Return whether every value is drawn for itself, so that a part can be drawn without the rest."""
    return isinstance(distribution, Constant | Normal | TruncatedNormal | Uniform | SoftplusInverse)


def fill(distribution: Distribution, out: np.ndarray, key: int, start: int = 0) -> None:
    """Fill a flat array with the values from place `start` on of an elementwise distribution.

    Args:
        distribution: What they are drawn from.
        out: float32, float64, complex64 or complex128.
        key: Of the seed and the parameter.
        start: Place of the first value.
    """
    if np.iscomplexobj(out):
        pairs = np.empty(2 * out.size)
        _write(law_of_pairs(distribution), pairs, Single(key, 2 * start))
        out[...] = from_pairs(distribution, pairs)
    else:
        _write(distribution, out, Single(key, start))


def fill_rows(wanted: Mapping[Any, np.ndarray], keys: Sequence[int], start: int = 0) -> None:
    """Fill arrays of (keys, count), an elementwise distribution each, with values from a place on."""
    count = max((rows.shape[1] for rows in wanted.values()), default=0)
    plain = not any(np.iscomplexobj(rows) for rows in wanted.values())
    compiled = compiled_pays(len(keys), count)
    if plain and len(keys) > 1 and not compiled:
        for place, tile in tiles(keys, count, start):
            for distribution, rows in wanted.items():
                _write(distribution, rows[place], tile)
        return
    for distribution, rows in wanted.items():
        for row, key in zip(rows, keys, strict=True):
            if plain:
                _write(distribution, row, Single(key, start, compiled=compiled))
            else:
                fill(distribution, row, key, start)


@singledispatch
def _write(distribution: Any, out: np.ndarray, values: Single | Tile) -> None:
    """Write values of an elementwise distribution."""
    raise FaninError(
        f"{distribution!r} cannot be drawn.", expected="a distribution of fanin.schemes.distributions"
    )


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


@_write.register
def _(distribution: SoftplusInverse, out: np.ndarray, values: Single | Tile) -> None:
    logs = np.empty(out.shape)
    values.uniform(logs, math.log(distribution.low), math.log(distribution.high))
    steps = np.exp(logs)
    out[...] = steps + np.log(-np.expm1(-steps))
