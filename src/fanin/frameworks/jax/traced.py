"""Values drawn inside of a compiled function, where they may be sharded and need not fit one device."""

from __future__ import annotations

import math
from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from fanin.errors import FaninError
from fanin.frameworks.jax import fill
from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import (
    Constant,
    Distribution,
    Normal,
    SoftplusInverse,
    TruncatedNormal,
    Uniform,
)
from fanin.schemes.draw import draw, is_elementwise


def is_traced() -> bool:
    """Return whether JAX is tracing a function at this moment, for jit or another transformation.

    Example:
        >>> is_traced()
        False
    """
    return isinstance(jnp.zeros(()), Tracer)


def draw_traced(distribution: Distribution, parameter: Parameter, key: int) -> jax.Array:
    """Return the values that `fanin.schemes.draw.draw` returns, within 1e-6 sd, as a part of a program.

    Values that are drawn each for itself are computed where they are needed, from the key and their place.
    Whole matrices are drawn at once, on the host, and become constants of the program.

    Args:
        distribution: What they are drawn from.
        parameter: Its shape and the meaning of its axes.
        key: Of the seed and the parameter.

    Example:
        >>> drawn = jax.jit(lambda: draw_traced(Normal(0.0, 1.0), Parameter("w", (2, 3)), 5))
        >>> drawn().shape
        (2, 3)
    """
    if parameter.complex or not is_elementwise(distribution):
        return jnp.asarray(draw(distribution, parameter, key))
    values = _values(distribution, parameter.shape, key)
    return values if parameter.padding is None else values.at[parameter.padding].set(0.0)


@singledispatch
def _values(distribution: Any, shape: tuple[int, ...], key: int) -> jax.Array:
    raise FaninError(f"{distribution!r} cannot be computed in a program.", expected="values for themselves")


@_values.register
def _(distribution: Constant, shape: tuple[int, ...], key: int) -> jax.Array:
    return jnp.full(shape, distribution.value, jnp.float32)


@_values.register
def _(distribution: Normal, shape: tuple[int, ...], key: int) -> jax.Array:
    return fill.normal(key, shape, distribution.mean, distribution.sd)


@_values.register
def _(distribution: TruncatedNormal, shape: tuple[int, ...], key: int) -> jax.Array:
    bounds = distribution.low, distribution.high
    return fill.truncated_normal(key, shape, distribution.mean, distribution.sd, *bounds)


@_values.register
def _(distribution: Uniform, shape: tuple[int, ...], key: int) -> jax.Array:
    return fill.uniform(key, shape, distribution.low, distribution.high)


@_values.register
def _(distribution: SoftplusInverse, shape: tuple[int, ...], key: int) -> jax.Array:
    steps = jnp.exp(fill.uniform(key, shape, math.log(distribution.low), math.log(distribution.high)))
    return steps + jnp.log(-jnp.expm1(-steps))
