"""What holds on every backend of Keras; run as a script it says so of the one that Keras runs on."""

from __future__ import annotations

import json
import random
import sys

import keras
import numpy as np
from keras import layers
from keras.src import backend as functions

import fanin
from fanin.frameworks.keras.build import canonical_paths
from frameworks.vital_numbers import numbers

X = np.random.default_rng(0).normal(size=(16, 12, 12, 3)).astype("float32")
Y = np.random.default_rng(1).integers(0, 7, 16)


class Noisy(layers.Layer):
    """Draws numbers, and counts its calls."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seeds = keras.random.SeedGenerator(3)

    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, x):
        self.calls.assign_add(1.0)
        return x + 0 * keras.random.normal(keras.ops.shape(x), seed=self.seeds)


def model() -> keras.Model:
    """Return a model with convolutions, norms, dropout, attention, a recurrence and a frozen layer."""
    x = keras.Input((12, 12, 3))
    h = layers.Conv2D(8, 3, activation="relu")(x)
    h = layers.BatchNormalization()(h)
    h = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="gelu")(h)
    h = Noisy()(layers.Reshape((100, 16))(h))
    n = layers.LayerNormalization()(h)
    h = h + layers.MultiHeadAttention(2, 8, dropout=0.3)(n, n)
    h = h + layers.MultiHeadAttention(2, 8)(n, n, use_causal_mask=True)
    h = layers.AveragePooling1D(10)(h)
    h = layers.GRU(12, dropout=0.2)(h)
    h = layers.Dropout(0.5)(keras.activations.silu(layers.Dense(20)(h)))
    frozen = layers.Dense(16, activation="sigmoid", trainable=False)
    made = keras.Model(x, layers.Dense(7, activation="softmax")(frozen(h)))
    values = np.random.default_rng(2)
    made.set_weights(
        [
            w if w.ndim < 2 else values.normal(0, np.prod(w.shape[:-1]) ** -0.5, w.shape)
            for w in made.get_weights()
        ]
    )
    made.compile("adam", "sparse_categorical_crossentropy")
    made.optimizer.build(made.trainable_variables)
    return made


def state(made: keras.Model) -> list:
    """Return everything that a check could change."""
    held = [*made.variables, *made.optimizer.variables]
    values = [np.array(keras.ops.convert_to_numpy(one.value)).tolist() for one in held]
    flags = [(one.trainable, layer.trainable) for layer in made._flatten_layers() for one in layer.variables]
    hooks = functions.nn.relu, functions.numpy.matmul, functions.random.dropout, keras.layers.Layer.__call__
    drawn = [random.getstate(), np.random.get_state()[1].tolist()]  # noqa: NPY002
    if keras.backend.backend() == "torch":
        import torch

        drawn.append(torch.random.get_rng_state().tolist())
    return [values, flags, hooks, drawn]


def check() -> dict:
    """Return the numbers of a check that changes nothing."""
    keras.utils.set_random_seed(0)
    made = model()
    assert any("seed" in path for path in canonical_paths(made))
    before = state(made)
    found = fanin.diagnose(made, X, Y)
    assert state(made) == before
    first = keras.ops.convert_to_numpy(keras.random.normal((3,)))
    keras.utils.set_random_seed(0)
    model()
    assert (keras.ops.convert_to_numpy(keras.random.normal((3,))) == first).all()
    again = fanin.diagnose(made, X, Y)
    assert numbers(again.vitals) == numbers(found.vitals)
    return numbers(found.vitals)


class Hungry(layers.Layer):
    """Asks for more memory than there is, where there are more than four examples."""

    def call(self, x):
        if isinstance(x.shape[0], int) and x.shape[0] > 4:
            large = keras.ops.broadcast_to(keras.ops.sum(x), (1 << 45,))
            x = x + keras.ops.sum(keras.ops.sort(large)[:1])
        return x


def cut() -> None:
    """Check that a batch that does not fit into memory is cut."""
    made = keras.Sequential([keras.Input((12, 12, 3)), layers.Flatten(), layers.Dense(7), Hungry()])
    found = fanin.diagnose(made, X, Y, loss="cross_entropy").vitals
    assert (found.examples, found.notes) == (4, ("out of memory: the batch was cut to 4",))
    assert found.inputs[0].shape == (4, 12, 12, 3)


if __name__ == "__main__":
    assert keras.backend.backend() == sys.argv[1]
    cut()
    print(json.dumps(check()))
