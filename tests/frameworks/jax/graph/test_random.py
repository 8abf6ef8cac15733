"""Models of JAX and Keras that draw random numbers."""

import jax
import keras
import pytest
from flax import nnx
from jax import numpy as jnp

import fanin


class Autoencoder(nnx.Module):
    def __init__(self, drawn, rngs):
        self.level, self.log, self.after = (nnx.Linear(64, 64, rngs=rngs) for _ in range(3))
        self.drawn, self.rngs = drawn, nnx.Rngs(1)

    def __call__(self, x):
        level, sd = self.level(x), jnp.exp(self.log(x) / 2)
        return self.after(level + sd * self.drawn(self.rngs(), sd.shape))


DRAWN = {
    "normal": jax.random.normal,
    "scaled": lambda key, shape: 0.5 * jax.random.normal(key, shape) + 1,
    "uniform": lambda key, shape: 2 * jax.random.uniform(key, shape) - 1,
}


@pytest.mark.parametrize("drawn", DRAWN)
def test_random_numbers(drawn):
    def make():
        return Autoencoder(DRAWN[drawn], nnx.Rngs(0))

    graph = fanin.trace(make(), inputs=(8, 64))
    assert [node["kind"] for node in graph if node.op == "noise"] == [drawn.replace("scaled", "normal")]
    options = {"inputs": (8, 64), "scheme": "lecun_normal"}
    predicted = fanin.propagate(make, **options)
    measured = fanin.measure(make, seeds=20, progress=False, **options)
    assert list(predicted) == list(measured)
    for name, layer in predicted.items():
        assert layer.forward.q.value == pytest.approx(measured[name].forward.q.value, rel=0.15)
        assert layer.backward.q.value == pytest.approx(measured[name].backward.q.value, rel=0.2)


class Sampling(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, inputs):
        level, log = inputs
        noise = keras.random.normal(keras.ops.shape(level), seed=self.seeds)
        return level + keras.ops.exp(log / 2) * noise


def test_the_sampling_layer_of_keras():
    x = keras.Input((64,))
    level, log = keras.layers.Dense(32)(x), keras.layers.Dense(32)(x)
    model = keras.Model(x, keras.layers.Dense(64)(Sampling()([level, log])))
    predicted = fanin.propagate(model, inputs=(8, 64))
    assert all(layer.forward is not None and layer.backward is not None for layer in predicted.values())
