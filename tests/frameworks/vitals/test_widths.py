"""What a step moves, and what changes with the width, on JAX and Keras as on PyTorch."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch

import fanin
from fanin.frameworks.vitals.layers import Seen
from fanin.frameworks.vitals.widths import width_of

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(64, 20)).astype("float32"), np.arange(64) % 4
WIDTHS = (32, 128, 512)


def test_a_step_moves_by_the_sum_of_the_inputs():
    w = RANDOM.normal(size=(20, 3)).astype("float32")

    def run(values):
        made = X @ values[0]
        return [Seen("a", "Dense", "weights", made)], [np.ones_like(w)]

    found = width_of(5, [w], run)
    assert found.width == 5
    assert found.scales["a"] == pytest.approx(np.sqrt(np.mean((X @ w) ** 2)), rel=1e-4)
    assert found.moved["a"] == pytest.approx(1e-3 * np.sqrt(np.mean(X.sum(1) ** 2)), rel=1e-3)


def weights(width, power):
    random = np.random.default_rng(width)
    sizes = ((20, width), (width, width), (width, 4))
    return [(random.normal(size=size) * size[0] ** -power).astype("float32") for size in sizes]


def on_torch(width, power):
    layers = [torch.nn.Linear(*w.shape, bias=False) for w in weights(width, power)]
    for layer, w in zip(layers, weights(width, power), strict=True):
        layer.weight.data = torch.tensor(w.T)
    return torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])


def on_keras(width, power):
    sizes = ((width, "relu"), (width, "relu"), (4, None))
    model = keras.Sequential([
        keras.Input((20,)), *(keras.layers.Dense(n, activation=act, use_bias=False) for n, act in sizes)
    ])  # fmt: skip
    model.set_weights(weights(width, power))
    return model


def network(params, x):
    h = jax.nn.relu(jax.nn.relu(x @ params["a"]) @ params["b"])
    return h @ params["c"]


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_keras_has_the_numbers_of_pytorch(power):
    one, other = (
        fanin.diagnose(lambda width, make=make: make(width, power), X, Y, loss="cross_entropy", widths=WIDTHS)
        for make in (on_torch, on_keras)
    )
    for mine, theirs in zip(one.vitals.widths, other.vitals.widths, strict=True):
        assert list(mine.scales.values()) == pytest.approx(list(theirs.scales.values()), rel=1e-3)
        assert list(mine.moved.values()) == pytest.approx(list(theirs.moved.values()), rel=1e-2)
    found = [{f.code for f in each.findings if f.family == "WID"} for each in (one, other)]
    assert found[0] == found[1]
    assert ("WID101" in found[0]) == (power == 0.0)


def test_jax_has_the_numbers_of_pytorch():
    from fanin.frameworks.jax.check import of_width

    params = dict(zip("abc", map(jnp.asarray, weights(64, 0.5)), strict=True))
    found = of_width(network, X, Y, 64, loss="cross_entropy", given=None, seed=0, params=params)
    make = fanin.diagnose(lambda width: on_torch(width, 0.5), X, Y, loss="cross_entropy", widths=(64, 8))
    there = next(one for one in make.vitals.widths if one.width == 64)
    assert list(found.scales.values()) == pytest.approx(list(there.scales.values()), rel=1e-3)
    assert list(found.moved.values()) == pytest.approx(list(there.moved.values()), rel=1e-2)
