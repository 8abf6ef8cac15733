"""PyTorch, Keras on each backend and JAX measure the same of the same network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
from flax import linen as nn
from flax import nnx
from torch.nn import functional as f

import fanin
from fanin import FaninError
from frameworks.vital_numbers import close, network, numbers

HELD = network()
X, Y = HELD["x"], HELD["y"]
LAYERS = ("1", "2", "3")


@pytest.fixture(scope="module")
def expected():
    model = torch.nn.Sequential(
        torch.nn.Linear(20, 32),
        torch.nn.ReLU(),
        torch.nn.Linear(32, 24),
        torch.nn.Tanh(),
        torch.nn.Linear(24, 5),
    )
    with torch.no_grad():
        for layer, name in zip(model[::2], LAYERS, strict=True):
            layer.weight.copy_(torch.tensor(HELD[f"w{name}"].T))
            layer.bias.copy_(torch.tensor(HELD[f"b{name}"]))
    vitals = fanin.diagnose(model, X, Y.astype(np.int64), loss=f.cross_entropy).vitals
    found = numbers(vitals)
    for one in found["parameters"]:
        one[0] = one[0][::-1]
    found["parameters"].sort(key=lambda one: (len(one[0]), one[0]))
    return found


def test_the_network_has_what_is_compared(expected):
    first, relu, second, tanh, _ = expected["layers"]
    assert first["twins"] == pytest.approx(2 / 32)
    assert first["alike"] == pytest.approx(2 / 32)
    assert relu["dead"] == pytest.approx(4 / 32)
    assert tanh["saturated"] > 0.2
    assert second["similarity"] is not None
    assert expected["output"][2] == "cross_entropy"


def keras_model():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(24),
            layers.Activation("tanh"),
            layers.Dense(5),
        ]
    )
    model.set_weights([HELD[kind + name] for name in LAYERS for kind in ("w", "b")])
    return model


def test_keras_on_jax(expected):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    close(numbers(fanin.diagnose(keras_model(), X, Y, loss=loss).vitals), expected)


@pytest.mark.parametrize("backend", ["torch", "tensorflow"])
def test_keras_on_other_backends(expected, backend):
    tests = Path(__file__).parents[1]
    script = (
        "import json, keras, fanin\n"
        "from frameworks.test_checking import X, Y, keras_model\n"
        "from frameworks.vital_numbers import numbers\n"
        f"assert keras.backend.backend() == {backend!r}\n"
        "loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)\n"
        "print(json.dumps(numbers(fanin.diagnose(keras_model(), X, Y, loss=loss).vitals)))\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(tests)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    close(json.loads(done.stdout.splitlines()[-1]), expected)


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(32, name="d1")(x))
        return nn.Dense(5, name="d3")(jnp.tanh(nn.Dense(24, name="d2")(x)))


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.d1, self.d2, self.d3 = (nnx.Linear(*sizes, rngs=rngs) for sizes in ((20, 32), (32, 24), (24, 5)))

    def __call__(self, x):
        return self.d3(jnp.tanh(self.d2(nnx.relu(self.d1(x)))))


def function(params, x):
    h = jnp.maximum(x @ params["d1"]["w"] + params["d1"]["b"], 0)
    h = jnp.tanh(h @ params["d2"]["w"] + params["d2"]["b"])
    return h @ params["d3"]["w"] + params["d3"]["b"]


def params(kernel, bias):
    return {f"d{name}": {kernel: HELD[f"w{name}"], bias: HELD[f"b{name}"]} for name in LAYERS}


def test_linen(expected):
    options = {"loss": "cross_entropy", "params": {"params": params("kernel", "bias")}}
    close(numbers(fanin.diagnose(Linen(), X, Y, **options).vitals), expected)


def test_nnx(expected):
    model = Nnx(nnx.Rngs(0))
    for name in LAYERS:
        layer = getattr(model, f"d{name}")
        layer.kernel.set_value(jnp.asarray(HELD[f"w{name}"]))
        layer.bias.set_value(jnp.asarray(HELD[f"b{name}"]))
    close(numbers(fanin.diagnose(model, X, Y, loss="cross_entropy").vitals), expected)


def test_equinox(expected):
    eqx = pytest.importorskip("equinox")
    keys = jax.random.split(jax.random.key(0), 3)
    layers = [
        eqx.tree_at(
            lambda layer: (layer.weight, layer.bias),
            eqx.nn.Linear(*sizes, key=key),
            (jnp.asarray(HELD[f"w{name}"].T), jnp.asarray(HELD[f"b{name}"])),
        )
        for name, sizes, key in zip(LAYERS, ((20, 32), (32, 24), (24, 5)), keys, strict=True)
    ]
    model = eqx.nn.Sequential([
        layers[0], eqx.nn.Lambda(jax.nn.relu), layers[1], eqx.nn.Lambda(jnp.tanh), layers[2]
    ])  # fmt: skip
    found = numbers(fanin.diagnose(model, X, Y, loss="cross_entropy").vitals)
    for one in found["parameters"]:
        one[0] = one[0][::-1]
    found["parameters"].sort(key=lambda one: (len(one[0]), one[0]))
    close(found, expected)


def test_a_function(expected):
    options = {"loss": "cross_entropy", "params": params("w", "b")}
    close(numbers(fanin.diagnose(function, X, Y, **options).vitals), expected)


def test_a_batch_is_needed():
    with pytest.raises(FaninError, match="There is no batch"):
        fanin.diagnose(function, params=params("w", "b"))
