"""Streams of blocks are found by their paths, whatever a framework puts between the parts of these."""

import keras
import numpy as np
import pytest
import torch
from flax import linen
from torch import nn

import fanin

X = np.random.default_rng(0).normal(size=(32, 16)).astype("float32")
CODES = {"select": ("RES",)}


class TorchBlock(nn.Module):
    def __init__(self, gain, post):
        super().__init__()
        self.dense, self.norm = nn.Linear(16, 16), nn.LayerNorm(16) if post else nn.Identity()
        nn.init.normal_(self.dense.weight, std=gain / 4)

    def forward(self, x):
        return self.norm(x + self.dense(x))


class KerasBlock(keras.layers.Layer):
    def __init__(self, gain, post, name=None):
        super().__init__(name=name)
        self.dense = keras.layers.Dense(16, kernel_initializer=keras.initializers.RandomNormal(0, gain / 4))
        self.norm = keras.layers.LayerNormalization() if post else keras.layers.Identity()

    def build(self, shape):
        self.dense.build(shape)
        self.norm.build(shape)

    def call(self, x):
        return self.norm(x + self.dense(x))


class LinenBlock(linen.Module):
    gain: float
    post: bool

    @linen.compact
    def __call__(self, x):
        x = x + linen.Dense(16, kernel_init=linen.initializers.normal(self.gain / 4))(x)
        return linen.LayerNorm()(x) if self.post else x


class LinenNet(linen.Module):
    count: int
    gain: float
    post: bool

    @linen.compact
    def __call__(self, x):
        for _ in range(self.count):
            x = LinenBlock(self.gain, self.post)(x)
        return linen.Dense(3)(x)


def of_torch(count, gain, post):
    torch.manual_seed(0)
    return nn.Sequential(*(TorchBlock(gain, post) for _ in range(count)), nn.Linear(16, 3))


def of_keras(count, gain, post):
    keras.utils.set_random_seed(0)
    names = ["block", *(f"block_{n}" for n in range(1, count))]
    blocks = [KerasBlock(gain, post, name) for name in names]
    return keras.Sequential([keras.Input((16,)), *blocks, keras.layers.Dense(3)])


MAKES = pytest.mark.parametrize("make", [of_torch, of_keras, LinenNet], ids=["torch", "keras", "linen"])


def found(model):
    x = torch.tensor(X) if isinstance(model, nn.Module) else X
    return [(one.code, one.observed) for one in fanin.diagnose(model, x, np.arange(32) % 3, **CODES).findings]


@MAKES
def test_deep_post_norm(make):
    assert found(make(13, 1.0, True)) == [("RES102", 13.0)]
    assert found(make(12, 1.0, True)) == []


@MAKES
def test_growing_streams(make):
    ((code, factor),) = found(make(12, 1.0, False))
    assert code == "RES101"
    assert factor == pytest.approx(2**0.5, rel=0.1)
    assert found(make(12, 0.1, False)) == []
