"""A function of JAX as float64 NumPy functions: its values and its gradient."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fanin.theory.activation import Activation, Array

_BLOCKS = (2048, 65536)
"""Values a call: of few shapes, so that what is jitted is compiled but twice."""


def jax_activation(function: Callable[..., Any], name: str) -> Activation:
    """Return an activation of JAX's, computed in float64 whatever JAX is set to.

    Args:
        function: A function of an array, or anything callable that is one (an Equinox or Flax module).
        name: What to call it.

    Example:
        >>> found = jax_activation(jax.nn.relu6, "relu6")
        >>> found.value(np.array([-1.0, 7.0])), found.derivative(np.array([-1.0, 3.0]))
        (array([0., 6.]), array([0., 1.]))
    """

    def gradient(x: jax.Array) -> jax.Array:
        y, pull = jax.vjp(function, x)
        return pull(jnp.ones_like(y))[0]

    # A gradient is traced anyway; values are not, so that what is no function of its input shows.
    return Activation(name, _blockwise(function), _blockwise(jax.jit(gradient)), "jax")


def _blockwise(function: Callable[[jax.Array], Any]) -> Callable[[Array], Array]:
    """Return a function of NumPy arrays that calls another one with blocks of one shape, in float64."""

    def call(x: Array) -> Array:
        block = next((size for size in _BLOCKS if len(x) <= size), _BLOCKS[-1])
        padded = np.append(x, np.zeros(-len(x) % block))
        with _float64():
            parts = [np.asarray(function(jnp.asarray(part))) for part in padded.reshape(-1, block)]
            if any(part.shape != (block,) for part in parts):
                return np.asarray(function(jnp.asarray(x)))  # for the caller to refuse
        return np.concatenate(parts)[: len(x)]

    return call


def _float64() -> Any:
    # It moved out of jax.experimental in JAX 0.8; both hold for a block.
    home = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")
    return home.enable_x64(True)
