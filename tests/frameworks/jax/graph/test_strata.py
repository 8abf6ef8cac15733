"""Laws of first values, read from initializers on a grid of random bits."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.nn import initializers

from fanin.frameworks.jax.graph.strata import laws_of_start


def law(make):
    return laws_of_start(jax.make_jaxpr(make)(jax.random.key(0)), [0])[0]


SHAPE = (96, 1 << 20)
FAN_IN, FAN_OUT = SHAPE

KNOWN = {
    "he_normal": (initializers.he_normal(), 2 / FAN_IN, "truncated normal"),
    "he_uniform": (initializers.he_uniform(), 2 / FAN_IN, "uniform"),
    "glorot_normal": (initializers.glorot_normal(), 2 / (FAN_IN + FAN_OUT), "truncated normal"),
    "glorot_uniform": (initializers.glorot_uniform(), 2 / (FAN_IN + FAN_OUT), "uniform"),
    "lecun_normal": (initializers.lecun_normal(), 1 / FAN_IN, "truncated normal"),
    "normal": (initializers.normal(0.02), 4e-4, "normal"),
    "truncated": (initializers.truncated_normal(1.0), 0.8796256610342398**2, "truncated normal"),
    "variance_scaling": (initializers.variance_scaling(3, "fan_out", "normal"), 3 / FAN_OUT, "normal"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_initializers_without_their_arrays(name):
    initializer, variance, kind = KNOWN[name]
    found = law(lambda key: initializer(key, SHAPE))
    assert (found.name, found.mean) == (kind, pytest.approx(0, abs=1e-9))
    # The tails beyond the last of 65,536 values are cut off from a normal one.
    assert found.variance == pytest.approx(variance, rel=5e-5 if kind == "normal" else 2e-5)


def test_constants():
    assert law(lambda key: jnp.ones((5, 3))).mean == 1.0
    forget = law(lambda key: jnp.concatenate([jnp.zeros(2), jnp.ones(2)]))
    assert (forget.mean, forget.variance) == (0.5, 0.25)


@pytest.mark.parametrize("shape", [(64, 64), (32, 96), (96, 32), (3, 3, 16, 8)])
def test_orthogonal_is_told_and_has_its_variance(shape):
    found = law(lambda key: initializers.orthogonal(2.0)(key, shape))
    rows = 1
    for size in shape[:-1]:
        rows *= size
    assert found.orthogonal
    assert found.variance == pytest.approx(4 / max(rows, shape[-1]), rel=2e-4)


@given(st.floats(-3, 3), st.floats(0.1, 5))
@settings(max_examples=20, deadline=None)
def test_functions_of_one_draw(shift, scale):
    found = law(lambda key: jnp.abs(jax.random.normal(key, (7, 9))) * scale + shift)
    mean = scale * (2 / jnp.pi) ** 0.5
    assert found.mean == pytest.approx(float(mean + shift), abs=1e-3 * scale)
    assert found.variance == pytest.approx(float(scale**2 - mean**2), rel=1e-3)


def test_draws_of_their_own_are_independent_and_one_draw_is_itself():
    def two(key):
        one, other = jax.random.split(key)
        return jax.random.normal(one, (50, 50)) + jax.random.normal(other, (50, 50))

    def same(key):
        draw = jax.random.normal(key, (50, 50))
        return draw + draw

    def mirrored(key):
        draw = jax.random.normal(key, (500, 500))
        return (draw + draw.T) / 2

    assert law(two).variance == pytest.approx(2, rel=0.02)
    assert law(same).variance == pytest.approx(4, rel=1e-4)
    assert law(mirrored).variance == pytest.approx(0.5, rel=0.02)


def test_what_mixes_values_is_made_and_measured():
    def unit(key):
        draw = jax.random.normal(key, (40, 30))
        return draw / jnp.linalg.norm(draw, axis=0)

    assert law(unit).variance == pytest.approx(1 / 40, rel=0.05)
    assert law(lambda key: unit(key) @ jnp.ones((30, 1 << 17))) is None  # too large to be made


def test_layers_stacked_by_a_scan_have_the_law_of_one():
    class Layer(nn.Module):
        @nn.compact
        def __call__(self, x, _):
            return nn.Dense(32, bias_init=initializers.constant(0.5))(x), None

    class Stack(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.scan(Layer, variable_axes={"params": 0}, split_rngs={"params": True}, length=4)()(
                x, None
            )[0]

    closed = jax.make_jaxpr(lambda key: Stack().init(key, jnp.ones((2, 32))))(jax.random.key(0))
    bias, kernel = laws_of_start(closed, [0, 1])
    assert (bias.mean, bias.variance) == (0.5, 0.0)
    assert kernel.variance == pytest.approx(1 / 32, rel=2e-5)
