"""Programs are run with the same values wherever they are taken apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fanin.frameworks.jax.checking.places import places_of
from fanin.frameworks.jax.checking.running import Running
from fanin.frameworks.jax.graph.signal import call_of

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(6, 8)).astype("float32")
STACK = {"w": jnp.asarray(RANDOM.normal(0, 0.4, (3, 8, 8)), "float32"), "b": jnp.ones((3, 8))}


def layers(params, x):
    """A scan over layers, whose steps are taken apart."""
    return jax.lax.scan(lambda h, p: (jnp.tanh(h @ p["w"] + p["b"]), h.sum()), x, params)


def backwards(params, x):
    return jax.lax.scan(lambda h, p: (jax.nn.relu(h @ p["w"]), h), x, params, reverse=True)


def over_time(params, x):
    """A scan over data, which stays whole."""
    return jax.lax.scan(lambda h, step: (jnp.tanh(h + step @ params["w"][0]), h), jnp.zeros(8), x)[1]


def called(params, x):
    inner = jax.jit(lambda x: jax.checkpoint(lambda y: jax.nn.gelu(y @ params["w"][1]))(x) + 1)
    return inner(x) * inner(2 * x)


def chosen(params, x):
    return jax.lax.cond(True, lambda y: jax.nn.relu(y @ params["w"][0]), lambda y: y, x)


def stepped(params, x):
    return jax.lax.fori_loop(0, 3, lambda n, y: y @ params["w"][n], x)


PROGRAMS = (layers, backwards, over_time, called, chosen, stepped)


def taken_apart(function):
    call = call_of(function, (X,), {}, params=STACK)
    closed = jax.make_jaxpr(call.function)([leaf.value for leaf in call.leaves], list(call.arrays))
    return call, closed, places_of(call, closed)


@pytest.mark.parametrize("function", PROGRAMS)
def test_values_are_the_same(function):
    call, closed, places = taken_apart(function)
    seen = []

    def change(at, value):
        seen.append(at)
        return value

    arguments = [*(leaf.value for leaf in call.leaves), X]
    found = Running(closed, places, places.of.values())(arguments, change)
    for one, other in zip(found, jax.tree.leaves(function(STACK, X)), strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-6)
    assert len(seen) == len(set(seen)) == len(set(places.of.values()))
    assert seen[len(arguments) :] == sorted(seen[len(arguments) :], key=lambda at: at.order)


@pytest.mark.parametrize("function", PROGRAMS)
def test_gradients_are_the_same(function):
    call, closed, places = taken_apart(function)
    running = Running(closed, places, places.of.values())

    def total(x, run):
        outputs = run([*(leaf.value for leaf in call.leaves), x])
        return sum(jnp.sum(jnp.cos(one)) for one in jax.tree.leaves(outputs))

    found = jax.grad(total)(X, lambda given: running(given, lambda at, value: value))
    assert np.allclose(
        found, jax.grad(total)(X, lambda given: jax.core.eval_jaxpr(closed.jaxpr, closed.consts, *given))
    )


def test_values_of_nodes():
    call, closed, places = taken_apart(layers)
    values = {}

    def change(at, value):
        values[at] = value
        return value

    Running(closed, places, places.of.values())([*(leaf.value for leaf in call.leaves), X], change)
    states = [node for node in places.graph if node.get("function") == "tanh"]
    h = X
    for node, w, b in zip(states, STACK["w"], STACK["b"], strict=True):
        h = np.tanh(h @ w + b)
        assert np.allclose(values[places.of[node.name]], h, atol=1e-5)


def test_only_what_is_wanted_is_taken_apart():
    _, closed, places = taken_apart(layers)
    assert not Running(closed, places, [])._open
    assert places.unrolled
