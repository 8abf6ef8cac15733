"""Parameters put together from matrices: orthogonal, identity, Hadamard, sparse, factors of a product."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np
from scipy import linalg

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.random.fill import fill_normal
from fanin.random.philox import key_of
from fanin.schemes.distributions import (
    DeltaOrthogonal,
    Factor,
    HadamardIdentity,
    Identity,
    Normal,
    Orthogonal,
    Sparse,
    TiledOrthogonal,
    Uniform,
)
from fanin.schemes.elementwise import fill_rows
from fanin.schemes.haar import haar, unitary
from fanin.schemes.matrices import Matrices, matrices

Keys = Sequence[int]


def assemble(distribution: Any, parameter: Parameter, keys: Keys) -> np.ndarray:
    """Return the values of a parameter that is made of matrices, for each of some keys.

    Args:
        distribution: What the matrices are.
        parameter: Its shape and the meaning of its axes.
        keys: Of the seeds and the parameter.

    Returns:
        (keys, *shape), float32; complex64 where the parameter is complex.

    Raises:
        FaninError: The distribution needs axes that nobody knows, or does not fit them.
    """
    inside = matrices(parameter)
    shape = len(keys), inside.count, inside.outputs, inside.inputs, math.prod(inside.taps)
    values = np.zeros(shape, np.complex64 if parameter.complex else np.float32)
    _put(distribution, values, inside, keys)
    return np.stack([inside.together(each, parameter.shape) for each in values])


@singledispatch
def _put(distribution: Any, values: np.ndarray, inside: Matrices, keys: Keys) -> None:
    """Write the values of all matrices, (keys, count, outputs, inputs, taps), which are 0 so far."""
    raise FaninError(
        f"{distribution!r} cannot be drawn.", expected="a distribution of fanin.schemes.distributions"
    )


@_put.register
def _(distribution: Orthogonal, values: np.ndarray, inside: Matrices, keys: Keys) -> None:
    flat = values.reshape(*values.shape[:3], -1)
    np.multiply(_orthogonal(flat.shape, keys, np.iscomplexobj(values)), distribution.gain, out=flat)


@_put.register
def _(distribution: DeltaOrthogonal, values: np.ndarray, inside: Matrices, keys: Keys) -> None:
    drawn = _orthogonal(values.shape[:-1], keys, np.iscomplexobj(values))
    values[..., inside.centre] = distribution.gain * drawn


@_put.register
def _(distribution: TiledOrthogonal, values: np.ndarray, inside: Matrices, keys: Keys) -> None:
    drawn = _orthogonal((*values.shape[:2], *inside.tiled), keys, np.iscomplexobj(values))
    size = len(inside.tile)
    if inside.transposed:
        parts = drawn.reshape(*values.shape[:3], size, inside.inputs).swapaxes(-1, -2)
    else:
        parts = drawn.reshape(*values.shape[:4], size)
    values[..., inside.tile] = distribution.gain * parts


@_put.register
def _(distribution: Identity, values: np.ndarray, inside: Matrices, keys: Keys) -> None:
    values[..., inside.centre] = distribution.gain * np.eye(inside.outputs, inside.inputs)


@_put.register
def _(distribution: HadamardIdentity, values: np.ndarray, inside: Matrices, keys: Keys) -> None:
    matrix = np.eye(inside.outputs, inside.inputs)
    if inside.outputs > inside.inputs:
        order = (inside.outputs - 1).bit_length()
        signs = linalg.hadamard(2**order)[: inside.outputs, : inside.inputs]
        matrix = signs * 2 ** (-order / 2)
    values[..., inside.centre] = distribution.gain * matrix


@_put.register
def _(distribution: Sparse, values: np.ndarray, inside: Matrices, keys: Keys) -> None:
    units = values.reshape(len(keys), inside.count * inside.outputs, -1)
    flat, ranks = values.reshape(len(keys), -1), np.empty(units.shape, np.float32)
    fill_rows({Normal(0.0, distribution.sd): flat}, keys)
    begin = flat.shape[1] * (2 if np.iscomplexobj(values) else 1)
    fill_rows({Uniform(0.0, 1.0): ranks.reshape(flat.shape)}, keys, begin)
    if distribution.count < units.shape[-1]:
        dropped = np.argpartition(ranks, distribution.count, axis=-1)[..., distribution.count :]
        np.put_along_axis(units, dropped, 0.0, axis=-1)


@_put.register
def _(distribution: Factor, values: np.ndarray, inside: Matrices, keys: Keys) -> None:
    for each, key in zip(values, keys, strict=True):
        matrix = each.reshape(inside.outputs, -1)
        _put_factor(distribution, matrix.T if distribution.shared_in else matrix, key)


def _put_factor(factor: Factor, shared: np.ndarray, key: int) -> None:
    """Write one factor of each head's product into an array of (heads' columns, width)."""
    rank, width = len(shared) // factor.heads, shared.shape[1]
    for head in range(factor.heads):
        pair = _factors(key_of(key, factor.product), head, width, factor.alpha, factor.beta)
        shared[head * rank : (head + 1) * rank] = pair[0 if factor.first else 1][:rank]


@functools.lru_cache(maxsize=16)  # both factors of a head are asked for soon after each other
def _factors(key: int, head: int, width: int, alpha: float, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Return S^(1/2) U^T and S^(1/2) V^T of alpha Z + beta I = U S V^T."""
    noise = np.empty((width, width), np.float32)
    fill_normal(noise.reshape(-1), key, 0.0, alpha / math.sqrt(width), start=head * width * width)
    noise[np.diag_indices(width)] += beta
    u, s, vt = linalg.svd(noise, check_finite=False, overwrite_a=True)
    root = np.sqrt(s)[:, None]
    return root * u.T, root * vt


def _orthogonal(shape: tuple[int, ...], keys: Keys, complex_values: bool) -> np.ndarray:
    """Return orthogonal matrices of a shape (keys, count, rows, columns), in single precision."""
    gaussian: Any = np.empty((*shape[:2], *sorted(shape[2:])), np.complex64 if complex_values else np.float32)
    fill_rows({Normal(0.0, 1.0): gaussian.reshape(len(keys), -1)}, keys)
    q = unitary(gaussian) if complex_values else haar(gaussian)
    return q if shape[2] >= shape[3] else q.swapaxes(2, 3)
