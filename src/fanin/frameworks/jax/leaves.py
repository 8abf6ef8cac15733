"""Leaves of JAX models: which of them are parameters, and how a new value takes the place of an old one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fanin.errors import FaninError, nearest
from fanin.graph.parameter import Parameter

Values = Mapping[str, Any]
"""From the name of a parameter to its new value: any array of its shape, concrete or traced."""


def why_kept(leaf: Any) -> str:
    """Return why a leaf cannot be a parameter; empty if it can.

    Example:
        >>> why_kept(jnp.arange(3)), why_kept(jax.nn.relu), why_kept(jnp.ones(3))
        ('integers, not trained', 'not an array', '')
    """
    dtype = getattr(leaf, "dtype", None)
    if dtype is None or not hasattr(leaf, "shape"):
        return "not an array"
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return "a random key"
    return "" if jnp.issubdtype(dtype, jnp.inexact) else "integers, not trained"


def typed(parameter: Parameter, leaf: Any) -> Parameter:
    """Return a parameter that knows whether its values are complex numbers, and whether all are 0."""
    is_complex = bool(jnp.issubdtype(leaf.dtype, jnp.complexfloating))
    return replace(parameter, complex=is_complex, zero=_is_zero(leaf))


def _is_zero(leaf: Any) -> bool:
    """Return whether an array is known to be all 0; of descriptions and traced values nobody knows."""
    if isinstance(leaf, Tracer) or not isinstance(leaf, jax.Array | np.ndarray) or not leaf.size:
        return False
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        return False
    return not bool(leaf[(0,) * leaf.ndim]) and not bool((leaf != 0).any())


def shape_of(leaf: Any) -> tuple[int, ...]:
    """Return a leaf's shape, () for what is not an array."""
    return tuple(getattr(leaf, "shape", ()))


def fitted(name: str, old: Any, value: Any) -> Any:
    """Return a value as it takes a leaf's place: in its dtype, on its devices, in its sharding.

    Args:
        name: The parameter's name.
        old: The leaf: an array, or a description of one (`jax.ShapeDtypeStruct`).
        value: Array of the leaf's shape; it may be traced.

    Raises:
        FaninError: The shapes differ, or the leaf is no array.
    """
    if why_kept(old) == "not an array":
        raise FaninError(f"{name} is a {type(old).__name__}.", expected="the name of an array")
    if np.shape(value) != shape_of(old):
        raise FaninError(f"{name} got the shape {np.shape(value)}.", expected=f"{shape_of(old)}")
    # Cast on the host and place at once: a value may be larger than one device.
    array = value if isinstance(value, jax.Array) else np.asarray(value)
    return jax.device_put(array.astype(old.dtype), _placement(old))


def _placement(old: Any) -> Any:
    """Return where a leaf was put on purpose; None where JAX was free to choose."""
    if isinstance(old, Tracer):
        return None
    if isinstance(old, jax.Array):
        return old.sharding if old.committed else None
    return getattr(old, "sharding", None)


def check_names(values: Values, known: Iterable[str]) -> None:
    """Raise for values that no leaf is waiting for.

    Raises:
        FaninError: A name is not known.
    """
    names = list(known)
    for name in values.keys() - set(names):
        near = nearest(name, names)
        raise FaninError(f"The model has no {name!r}.", expected=f"perhaps {near}" if near else "")
