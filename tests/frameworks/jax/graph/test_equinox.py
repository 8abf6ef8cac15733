"""Equinox modules as graphs."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.frameworks.jax.equinox.inventory import inventory
from fanin.frameworks.jax.graph import signal_graph
from fanin.frameworks.jax.tree import named_leaves
from fanin.theory.recognition import recognize
from interpreter import interpret


def image(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


class Cnn(eqx.Module):
    layers: list

    def __init__(self, key):
        keys = jax.random.split(key, 3)
        self.layers = [
            eqx.nn.Conv2d(3, 8, 3, stride=2, padding=1, key=keys[0]),
            jax.nn.relu,
            eqx.nn.GroupNorm(2, 8),
            eqx.nn.MaxPool2d(2, 2),
            eqx.nn.ConvTranspose2d(8, 4, 3, stride=2, key=keys[1]),
            eqx.nn.AvgPool2d(2, 1),
            jnp.ravel,
            eqx.nn.Linear(256, 3, key=keys[2]),
        ]

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Block(eqx.Module):
    norm: eqx.nn.LayerNorm
    attend: eqx.nn.MultiheadAttention
    feed: eqx.nn.MLP
    drop: eqx.nn.Dropout

    def __init__(self, key):
        one, other = jax.random.split(key)
        self.norm = eqx.nn.LayerNorm(8)
        self.attend = eqx.nn.MultiheadAttention(2, 8, key=one)
        self.feed = eqx.nn.MLP(8, 8, 16, 1, jax.nn.gelu, key=other)
        self.drop = eqx.nn.Dropout(0.1)

    def __call__(self, x, *, key=None):
        h = jax.vmap(self.norm)(x)
        x = x + self.attend(h, h, h, mask=jnp.tril(jnp.ones((len(x), len(x)), bool)))
        return self.drop(x + jax.vmap(self.feed)(x), key=key)


class Lstm(eqx.Module):
    cell: eqx.nn.LSTMCell

    def __init__(self, key):
        self.cell = eqx.nn.LSTMCell(4, 8, key=key)

    def __call__(self, xs):
        state = jnp.zeros(8), jnp.zeros(8)
        return jax.lax.scan(lambda s, x: (self.cell(x, s), None), state, xs)[0][0]


def made(make):
    """Return a module in inference mode with random arrays; its initializers are not compiled."""
    rng = np.random.default_rng(1)

    def draw(leaf):
        if not isinstance(leaf, jax.ShapeDtypeStruct):
            return leaf
        values = rng.standard_normal(leaf.shape)
        return jnp.asarray(0.3 * values if values.ndim > 1 else np.abs(values), leaf.dtype)

    return eqx.nn.inference_mode(jax.tree.map(draw, eqx.filter_eval_shape(make, jax.random.key(0))))


MODELS = {
    "cnn": (Cnn, image(2, 3, 16, 16)),
    "mlp": (lambda key: eqx.nn.MLP(4, 2, 8, 2, key=key), image(3, 4)),
    "block": (Block, image(2, 5, 8)),
    "lstm": (Lstm, image(2, 5, 4)),
    "rms": (lambda key: eqx.nn.RMSNorm(6), image(2, 6)),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_computes_what_the_module_computes(name):
    make, x = MODELS[name]
    model = made(make)
    expected = eqx.filter_jit(jax.vmap(model))(x)
    graph = signal_graph(model, x)
    assert not [node for node in graph if node.op == "opaque"]
    weights = dict(named_leaves(model))
    for found in (graph, recognize(graph)):
        np.testing.assert_allclose(interpret(found, weights, x)[0], expected, rtol=1e-4, atol=1e-4)


def test_names_layers_and_notes():
    model = made(Block)
    graph = signal_graph(model, image(2, 5, 8))
    assert {w.name for w in graph.weights} == {p.name for p in inventory(model).parameters}
    assert {"norm", "attend.query_proj", "attend", "feed.layers.1", "feed"} <= set(graph.layers)
    assert graph[graph.layers["attend"]].source.type == "MultiheadAttention"
    assert "jax.vmap" in graph.notes[0]
    assert eqx.nn.Linear.__call__.__qualname__ == "Linear.__call__"


def test_dropout_in_training_has_its_keys():
    graph = signal_graph(made(Block), image(2, 5, 8), train=True)
    assert [node["rate"] for node in graph if node.op == "dropout"] == [0.1]


def test_attention_is_found_with_its_mask():
    (node,) = [n for n in recognize(signal_graph(made(Block), image(2, 5, 8))) if n.op == "attention"]
    assert (node["heads"], node["causal"], node["scale"]) == (2, True, pytest.approx(0.5))


def test_a_whole_batch_without_vmap():
    class Both(eqx.Module):
        kernel: jax.Array

        def __call__(self, x):
            return x @ self.kernel

    model = Both(jnp.ones((4, 2)))
    graph = signal_graph(model, image(3, 4), vmap=False)
    assert graph[graph.outputs[0]].shape == (3, 2)
    assert not graph.notes
    assert signal_graph(model, image(3, 4)).notes  # it takes an example, too


def test_modules_that_take_batches_are_given_them():
    class Batched(eqx.Module):
        layer: eqx.nn.Linear

        def __call__(self, x):
            return jax.vmap(self.layer)(x)

    graph = signal_graph(Batched(eqx.nn.Linear(4, 2, key=jax.random.key(0))), image(3, 4))
    assert graph[graph.outputs[0]].shape == (3, 2)
    assert not graph.notes
    with pytest.raises(FaninError, match="cannot be traced"):  # neither does
        signal_graph(Batched(eqx.nn.Linear(5, 2, key=jax.random.key(0))), image(3, 4))


def test_abstract_modules_have_declared_laws():
    model = eqx.filter_eval_shape(Lstm, jax.random.key(0))
    law = signal_graph(model, image(2, 5, 4), start=Lstm).weight["cell.weight_ih"].law
    assert (law.name, law.variance) == ("uniform", pytest.approx(1 / 8 / 3, rel=2e-5))


def test_train_mode_batch_norm_with_its_state():
    class Net(eqx.Module):
        norm: eqx.nn.BatchNorm

        def __init__(self):
            self.norm = eqx.nn.BatchNorm(3, axis_name="batch", mode="batch")

        def __call__(self, x, state):
            return self.norm(x, state)

    model, state = eqx.nn.make_with_state(Net)()
    graph = recognize(signal_graph(model, image(4, 3, 5), state=state, train=True))
    (norm,) = [node for node in graph if node.op == "norm"]
    assert (norm["kind"], norm["train"], norm["axes"], norm["channel"]) == ("batch", True, (0, 2), 1)


def test_batches_that_differ_are_told():
    class Two(eqx.Module):
        def __call__(self, x, y):
            return x + y

    with pytest.raises(FaninError, match="batches of 2, 3"):
        signal_graph(Two(), (image(2, 4), image(3, 4)))
