import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.frameworks.jax.products import rows_by_columns
from fanin.frameworks.jax.rewriting import rewritten


def gradient(x, w):
    return jax.grad(lambda w: jnp.sin(x @ w).sum())(w)


def operands(rows, inputs, outputs):
    rng = np.random.default_rng(rows)
    return jnp.asarray(rng.normal(size=(rows, inputs)), jnp.float32), jnp.asarray(
        rng.normal(size=(inputs, outputs)), jnp.float32
    )


def plain(function):
    return rewritten(function, {"dot_general": rows_by_columns})


def over_rows(function, *arguments):
    """Return how many products still contract the first axes of both operands."""
    equations = jax.make_jaxpr(function)(*arguments).jaxpr.eqns
    return sum(
        e.primitive.name == "dot_general" and e.params["dimension_numbers"][0] == ((0,), (0,))
        for e in equations
    )


@settings(deadline=None, max_examples=8)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_gradients_are_the_same(rows, inputs, outputs):
    x, w = operands(rows, inputs, outputs)
    np.testing.assert_allclose(plain(gradient)(x, w), gradient(x, w), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("sizes", "left"),
    [((32, 20, 64), 0), ((64, 64, 64), 0), ((64, 64, 65), 1), ((32, 64, 1), 1), ((1, 64, 64), 1)],
)
def test_small_matrices_alone_are_put_another_way(sizes, left):
    x, w = operands(*sizes)
    assert over_rows(gradient, x, w) == 1
    assert over_rows(plain(gradient), x, w) == left


def test_it_survives_vectorization_and_compilation():
    x, w = operands(32, 20, 64)
    many = jnp.stack([w, 2 * w, -w])
    found = jax.jit(jax.vmap(plain(gradient), (None, 0)))(x, many)
    for one, expected in zip(found, many, strict=True):
        np.testing.assert_allclose(one, gradient(x, expected), rtol=1e-4, atol=1e-4)
