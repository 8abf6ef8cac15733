"""Signals of JAX functions, predicted and measured."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import fanin
from fanin import Inputs

CLASSES = 32
RANDOM = np.random.default_rng(3)
LABELS = RANDOM.integers(0, CLASSES, 64).astype("int32")
TARGETS = {
    "labels": LABELS,
    "one-hot": np.eye(CLASSES, dtype="float32")[LABELS],
    "binary": RANDOM.integers(0, 2, (64, CLASSES)).astype("float32"),
    "numbers": RANDOM.normal(0.5, 0.7, (64, CLASSES)).astype("float32"),
}


def start(key):
    first, last = jax.random.split(key)
    return {
        "first": jax.random.normal(first, (128, 256)) / 128**0.5,
        "last": jax.random.normal(last, (256, CLASSES)) / 8,
    }


def logits(params, x):
    return jnp.tanh(x @ params["first"]) @ params["last"]


def stable(z, y):
    return jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))


def smoothed(z, y):
    return optax.softmax_cross_entropy(z, optax.smooth_labels(jax.nn.one_hot(y, CLASSES), 0.2))


LOSSES = {
    "sigmoid_binary_cross_entropy": (optax.sigmoid_binary_cross_entropy, "binary"),
    "by hand": (stable, "binary"),
    "of integer labels": (optax.softmax_cross_entropy_with_integer_labels, "labels"),
    "of one-hot ones": (optax.softmax_cross_entropy, "one-hot"),
    "smoothed": (smoothed, "labels"),
    "l2_loss": (optax.l2_loss, "numbers"),
}


@pytest.mark.parametrize("total", [jnp.mean, jnp.sum, lambda each: each.reshape(64, -1).sum(-1).mean()])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_a_loss_are_those_that_are_measured(name, total):
    each, targets = LOSSES[name]

    def loss(params, x, y):
        return total(each(logits(params, x), y))

    inputs = (Inputs((64, 128)), TARGETS[targets])
    predicted = fanin.propagate(loss, inputs=inputs, start=start)
    measured = fanin.measure(loss, inputs=inputs, start=start, seeds=24)
    assert list(predicted) == list(measured) == ["first", "last"]
    for layer, truth in zip(predicted.layers, measured.layers, strict=True):
        assert layer.backward.q.value == pytest.approx(truth.backward.q.value, rel=0.04)
        assert not layer.unknown
    for parameter, truth in zip(predicted.parameters, measured.parameters, strict=True):
        assert parameter.gradient.value == pytest.approx(truth.gradient.value, rel=0.07)


def test_the_options_loss_and_the_functions_own_are_the_same():
    def loss(params, x, y):
        return optax.softmax_cross_entropy_with_integer_labels(logits(params, x), y).mean()

    own = fanin.propagate(loss, inputs=(Inputs((64, 128)), LABELS), start=start)
    option = fanin.propagate(logits, inputs=(64, 128), start=start, loss="cross_entropy")
    for name in own:
        assert own[name].backward.q.value == pytest.approx(option[name].backward.q.value, rel=1e-3)
