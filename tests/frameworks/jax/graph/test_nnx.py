"""NNX modules as graphs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from fanin.frameworks.jax.graph import signal_graph
from fanin.frameworks.jax.nnx.inventory import inventory
from fanin.frameworks.jax.nnx.walk import variables
from fanin.theory.recognition import recognize
from interpreter import interpret


def image(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


class Cnn(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(3, 8, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.drop = nnx.Dropout(0.2, rngs=rngs)
        self.head = nnx.Linear(8, 4, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.conv(x)))
        return self.head(self.drop(jnp.mean(x, axis=(1, 2))))


class Transformer(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(11, 16, rngs=rngs)
        self.norms = nnx.List([nnx.LayerNorm(16, rngs=rngs) for _ in range(2)])
        attention = {"num_heads": 2, "in_features": 16, "decode": False}
        self.attends = nnx.List([nnx.MultiHeadAttention(**attention, rngs=rngs) for _ in range(2)])

    def __call__(self, tokens):
        x, mask = self.embed(tokens), nnx.make_causal_mask(tokens)
        for norm, attend in zip(self.norms, self.attends, strict=True):
            x = x + attend(norm(x), mask=mask)
        return self.embed.attend(x)


class Recurrent(nnx.Module):
    def __init__(self, cell, rngs):
        self.rnn = nnx.RNN(cell(4, 8, rngs=rngs))
        self.norm = nnx.RMSNorm(8, rngs=rngs)

    def __call__(self, x):
        return self.norm(self.rnn(x))


class Tied(nnx.Module):
    def __init__(self, rngs):
        self.one = nnx.Linear(4, 4, rngs=rngs)
        self.other = nnx.Linear(4, 4, rngs=rngs)
        self.other.kernel = self.one.kernel

    def __call__(self, x):
        return self.other(nnx.silu(self.one(x)))


def made(make):
    """Return a module in eval mode with random variables; its initializers are not compiled."""
    rng = np.random.default_rng(1)
    model = nnx.eval_shape(lambda: make(nnx.Rngs(0)))
    for _, variable in variables(model):
        held = variable.get_value()
        if jnp.issubdtype(held.dtype, jnp.floating):
            values = rng.standard_normal(held.shape)
            variable.set_value(jnp.asarray(0.3 * values if values.ndim > 1 else np.abs(values), held.dtype))
        else:
            key = jnp.issubdtype(held.dtype, jax.dtypes.prng_key)
            variable.set_value(jax.random.key(0) if key else jnp.zeros(held.shape, held.dtype))
    model.eval()
    return model


MODELS = {
    "cnn": (Cnn, image(2, 8, 8, 3)),
    "transformer": (Transformer, np.arange(12, dtype=np.int32).reshape(2, 6) % 11),
    "lstm": (lambda rngs: Recurrent(nnx.OptimizedLSTMCell, rngs), image(2, 5, 4)),
    "gru": (lambda rngs: Recurrent(nnx.GRUCell, rngs), image(2, 5, 4)),
    "tied": (Tied, image(2, 4)),
    "sequential": (lambda rngs: nnx.Sequential(nnx.Linear(4, 8, rngs=rngs), nnx.gelu), image(2, 4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_computes_what_the_module_computes(name):
    make, x = MODELS[name]
    model = made(make)
    expected = nnx.jit(lambda model, x: model(x))(model, x)
    graph = signal_graph(model, x)
    weights = {path: variable.get_value() for path, variable in variables(model)}
    assert not [node for node in graph if node.op == "opaque"]
    for found in (graph, recognize(graph)):
        np.testing.assert_allclose(interpret(found, weights, x)[0], expected, rtol=1e-4, atol=1e-4)


def test_the_module_stays_as_it_is():
    model = Cnn(nnx.Rngs(0))
    before = jax.tree.leaves(nnx.state(model))
    signal_graph(model, image(2, 8, 8, 3), train=True)
    after = jax.tree.leaves(nnx.state(model))
    assert all(a is b for a, b in zip(before, after, strict=True))
    assert not model.drop.deterministic
    assert nnx.Linear.__call__.__qualname__ == "Linear.__call__"


def test_names_ties_and_layers():
    graph = signal_graph(Tied(nnx.Rngs(0)), image(2, 4))
    assert {w.name for w in graph.weights} == {p.name for p in inventory(Tied(nnx.Rngs(0))).parameters}
    assert graph.weight["one.kernel"].tied == ("other.kernel",)
    assert list(graph.layers) == ["one", "other"]
    assert graph[graph.layers["other"]].source.type == "Linear"


def test_training_takes_statistics_of_the_batch_and_drops():
    graph = recognize(signal_graph(Cnn(nnx.Rngs(0)), image(2, 8, 8, 3), train=True))
    (norm,) = [node for node in graph if node.op == "norm"]
    (dropout,) = [node for node in graph if node.op == "dropout"]
    assert (norm["kind"], norm["train"], norm["slots"]) == ("batch", True, ("scale", "offset"))
    assert dropout["rate"] == 0.2


def test_an_abstract_module_has_the_laws_of_its_initializers():
    model = nnx.eval_shape(lambda: Tied(nnx.Rngs(0)))
    graph = signal_graph(model, image(2, 4), start=lambda key: Tied(nnx.Rngs(key)))
    law = graph.weight["one.kernel"].law
    assert (law.name, law.variance) == ("truncated normal", pytest.approx(1 / 4, rel=2e-5))
    assert signal_graph(model, image(2, 4)).weight["one.kernel"].law is None
