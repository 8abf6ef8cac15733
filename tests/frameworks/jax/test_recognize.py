"""Activations are told by their values, in whichever way they are written."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from fanin.frameworks.jax.recognize import activation_name
from fanin.theory.names import named

WRITTEN = {
    "relu": lambda x: jnp.where(x > 0, x, 0),
    "leaky_relu(0.2)": partial(jax.nn.leaky_relu, negative_slope=0.2),
    "leaky_relu": jax.nn.leaky_relu,
    "gelu_tanh": jax.nn.gelu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "silu": lambda x: x * jax.nn.sigmoid(x),
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "softsign": jax.nn.soft_sign,
    "selu": jax.nn.selu,
    "elu": jax.nn.elu,
    "relu6": jax.nn.relu6,
    "mish": jax.nn.mish,
    "hard_tanh": jax.nn.hard_tanh,
    "hard_swish": jax.nn.hard_swish,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "identity": lambda x: x,
    "sin": jnp.sin,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_known_functions(name):
    assert activation_name(WRITTEN[name]) == name
    named(name)


@pytest.mark.parametrize(
    "function", [jax.nn.softmax, jnp.sum, jax.nn.glu, lambda x: 2 * x, lambda x: x.reshape(2, -1), print, 3]
)
def test_anything_else_has_no_name(function):
    assert activation_name(function) == ""
