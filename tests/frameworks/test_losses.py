"""Losses in the order of another framework are told, and those in the right order are used."""

import functools

import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
import torch
from torch import nn
from torch.nn import functional

import fanin
from fanin import FaninError

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(16, 6)).astype("float32"), np.arange(16) % 4


def of_torch():
    return nn.Linear(6, 4), torch.tensor(X), torch.tensor(Y)


def of_keras():
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)]), X, Y


def of_jax():
    return (lambda w, x: x @ w), X, Y


def diagnosed(make, loss):
    options = {"params": jnp.asarray(RANDOM.normal(size=(6, 4)), "float32")} if make is of_jax else {}
    return fanin.diagnose(*make(), loss=loss, **options).vitals.output


class OfTorch(nn.Module):
    def forward(self, outputs, targets):
        return functional.cross_entropy(outputs, targets)


class OfKeras(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_pred - keras.ops.one_hot(y_true, 4)))


def targets_first(labels, logits):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def outputs_first(y_pred, y):
    return keras.ops.mean(y_pred) - 0 * keras.ops.mean(y)


SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    ("make", "loss", "told"),
    [
        (
            of_keras,
            nn.CrossEntropyLoss(),
            "CrossEntropyLoss of PyTorch takes (outputs, targets), and Keras calls",
        ),
        (
            of_keras,
            functional.cross_entropy,
            "cross_entropy of PyTorch takes (outputs, targets), and Keras calls",
        ),
        (of_keras, OfTorch(), "OfTorch of PyTorch takes (outputs, targets), and Keras calls"),
        (of_keras, [nn.MSELoss()], "MSELoss of PyTorch takes (outputs, targets), and Keras calls"),
        (of_keras, {"dense": nn.MSELoss()}, "MSELoss of PyTorch takes (outputs, targets), and Keras calls"),
        (of_keras, outputs_first, "outputs_first takes (outputs, targets), and Keras calls"),
        (
            of_torch,
            SPARSE,
            "SparseCategoricalCrossentropy of Keras takes (targets, outputs), and PyTorch calls",
        ),
        (of_torch, OfKeras(), "OfKeras of Keras takes (targets, outputs), and PyTorch calls"),
        (
            of_torch,
            keras.losses.mean_squared_error,
            "mean_squared_error of Keras takes (targets, outputs), and PyTorch calls",
        ),
        (of_torch, targets_first, "targets_first takes (targets, outputs), and PyTorch calls"),
        (of_jax, SPARSE, "SparseCategoricalCrossentropy of Keras takes (targets, outputs), and JAX calls"),
        (of_jax, targets_first, "targets_first takes (targets, outputs), and JAX calls"),
        (of_jax, functools.partial(SPARSE), "of Keras takes (targets, outputs), and JAX calls"),
    ],
)
def test_the_wrong_order(make, loss, told):
    with pytest.raises(FaninError) as error:
        diagnosed(make, loss)
    assert told in error.value.what
    assert error.value.fix


@pytest.mark.parametrize(
    ("make", "loss", "kind"),
    [
        (of_torch, nn.CrossEntropyLoss(), "cross_entropy"),
        (of_torch, OfTorch(), "cross_entropy"),
        (of_torch, lambda y, t: functional.cross_entropy(y, t), "cross_entropy"),
        (of_torch, lambda outputs, targets: functional.cross_entropy(outputs, targets), "cross_entropy"),
        (of_keras, SPARSE, "cross_entropy"),
        (of_keras, OfKeras(), "other"),
        (of_keras, lambda targets, outputs: SPARSE(targets, outputs), "other"),
        (of_keras, lambda targets, outputs: outputs_first(outputs, targets), "other"),
        (of_jax, lambda outputs, targets: targets_first(targets, outputs), "cross_entropy"),
        (of_jax, lambda outputs, targets: SPARSE(targets, outputs), "cross_entropy"),
    ],
)
def test_the_right_order(make, loss, kind):
    assert diagnosed(make, loss).kind == kind


def test_widths_are_asked_too():
    def make(width):
        return nn.Sequential(nn.Linear(6, width), nn.Linear(width, 4))

    with pytest.raises(FaninError, match="of Keras takes"):
        fanin.diagnose(make, torch.tensor(X), torch.tensor(Y), loss=SPARSE, widths=(4, 8))
