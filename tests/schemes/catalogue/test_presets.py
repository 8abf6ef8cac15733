"""The frameworks' defaults against what their own layers draw."""

import jax
import keras
import numpy as np
import pytest
import torch
from flax import nnx
from scipy import stats
from torch import nn

import fanin


class Everything(nn.Module):
    """One of each layer, wide enough that two samples can be told apart."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(200, 150)
        self.conv = nn.Conv2d(24, 48, 3, groups=4)
        self.turned = nn.ConvTranspose2d(32, 20, 4, stride=2)
        self.bilinear = nn.Bilinear(30, 40, 20)
        self.lstm = nn.LSTM(50, 80)
        self.gru = nn.GRU(50, 80)
        self.table = nn.Embedding(200, 80)
        self.attention = nn.MultiheadAttention(80, 4)
        self.unpacked = nn.MultiheadAttention(80, 4, kdim=60, vdim=70)


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    return Everything(), fanin.initialize(Everything(), "torch_default", seed=1)


@pytest.mark.parametrize("name", [name for name, _ in Everything().named_parameters()])
def test_torch_default_is_what_torch_draws(pair, name):
    theirs, mine = (dict(model.named_parameters())[name].detach().numpy().ravel() for model in pair)
    assert stats.ks_2samp(mine, theirs).pvalue > 1e-4
    assert np.abs(mine).max() <= np.abs(theirs).max() * (1.35 if "table" in name else 1.3)


def test_torch_default_is_the_same_for_a_keras_and_a_flax_layer():
    dense = keras.Sequential([keras.Input((200,)), keras.layers.Dense(150)])
    linear = nnx.Linear(200, 150, rngs=nnx.Rngs(0))
    kernels = [
        np.asarray(fanin.initialize(dense, "torch_default").layers[0].kernel),
        np.asarray(fanin.initialize(linear, "torch_default").kernel[...]),
    ]
    for kernel in kernels:
        assert (kernel.astype(float) ** 2).mean() == pytest.approx(1 / (3 * 200), rel=0.02)
        assert np.abs(kernel).max() <= 200**-0.5


def keras_model():
    return keras.Sequential(
        [
            keras.Input((12, 6)),
            keras.layers.Conv1D(32, 3),
            keras.layers.LSTM(64, return_sequences=True),
            keras.layers.GRU(64),
            keras.layers.Dense(100),
        ]
    )


def test_keras_default_is_what_keras_draws():
    theirs, mine = keras_model(), fanin.initialize(keras_model(), "keras_default", seed=2)
    for their, own in zip(theirs.trainable_variables, mine.trainable_variables, strict=True):
        old, new = np.asarray(their), np.asarray(own)
        if own.path.endswith("recurrent_kernel"):
            for gate in np.split(new, new.shape[1] // 64, axis=1):
                np.testing.assert_allclose(gate.T @ gate, np.eye(64), atol=1e-5)
        elif own.path.endswith("bias"):
            np.testing.assert_array_equal(new, old)
        elif (
            "lstm" in own.path or "gru" in own.path
        ):  # Keras takes the gates for one layer, which is a mistake
            assert (new.astype(float) ** 2).mean() == pytest.approx(2 / (new.shape[0] + 64), rel=0.1)
        else:
            assert stats.ks_2samp(new.ravel(), old.ravel()).pvalue > 1e-4


def test_keras_tables_too():
    table = keras.Sequential([keras.Input((3,), dtype="int32"), keras.layers.Embedding(300, 40)])
    old = np.asarray(table.layers[0].embeddings).ravel().copy()
    new = np.asarray(fanin.initialize(table, "keras_default").layers[0].embeddings).ravel()
    assert stats.ks_2samp(new, old).pvalue > 1e-4


class Flax(nnx.Module):
    def __init__(self, rngs):
        self.linear = nnx.Linear(200, 150, rngs=rngs)
        self.conv = nnx.Conv(24, 48, (3, 3), rngs=rngs)
        self.table = nnx.Embed(200, 80, rngs=rngs)


def test_flax_default_is_what_flax_draws():
    theirs, mine = Flax(nnx.Rngs(0)), fanin.initialize(Flax(nnx.Rngs(1)), "flax_default", seed=3)
    for their, own in zip(
        jax.tree.leaves(nnx.state(theirs, nnx.Param)),
        jax.tree.leaves(nnx.state(mine, nnx.Param)),
        strict=True,
    ):
        assert stats.ks_2samp(np.ravel(own), np.ravel(their)).pvalue > 1e-4
