"""Prints what a run of Keras leaves behind, with the callback and without; the backend is Keras' own.

To be run as a program: `python keras_run.py`.
"""

import json
import random

import keras
import numpy as np
from keras import layers

from fanin.integrations.keras import HealthCheck


class Noise(layers.Layer):
    """Adds random numbers: with a seed of its own, and from Keras' global one where the backend lets it."""

    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, x, training=False):
        y = x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.seeds)
        return y if keras.backend.backend() == "jax" else y + 0.1 * keras.random.normal(keras.ops.shape(x))


def network():
    return keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(64),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            Noise(),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )


def data():
    source = np.random.default_rng(0)
    return source.normal(size=(96, 20)).astype("float32"), source.integers(0, 10, 96)


def run(checked):
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model, (x, y) = network(), data()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    callbacks = [HealthCheck(x, y, fail_on="error")] if checked else []
    losses = []
    batches = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: losses.append(logs["loss"]))
    history = model.fit(x, y, batch_size=32, epochs=2, verbose=0, callbacks=[*callbacks, batches]).history
    if checked:
        assert callbacks[0].diagnosis.ok
    return {
        "losses": [losses, history],
        "variables": [variable.numpy().tolist() for variable in model.variables],
        "optimizer": [variable.numpy().tolist() for variable in model.optimizer.variables],
        "random": [str(random.getstate()), str(np.random.get_state()), *_more()],  # noqa: NPY002
    }


def _more():
    """Return the states of the backend's own random numbers, and of Keras'."""
    yield keras.ops.convert_to_numpy(keras.random.normal((3,))).tolist()
    if keras.backend.backend() == "torch":
        import torch

        yield torch.get_rng_state().tolist()
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        yield tf.random.normal((3,)).numpy().tolist()


if __name__ == "__main__":
    with_it, without = run(True), run(False)
    print(json.dumps({name: with_it[name] == without[name] for name in without}))
