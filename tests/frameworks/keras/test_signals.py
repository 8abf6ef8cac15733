"""Measured signals of Keras models, on JAX here and on PyTorch in a process of its own."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import fanin
from fanin import FaninError

SCRIPT = """
import sys
import keras, numpy as np
import fanin
model = keras.models.load_model(sys.argv[1])
before = [w.copy() for w in model.get_weights()]
assert list(fanin.propagate(model, inputs=(10, 8))) == list(fanin.measure(model, inputs=(10, 8)))
for train in (False, True):
    print(fanin.measure(model, inputs=np.load(sys.argv[2]), loss="mse", train=train).to_json())
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))
"""


def net():
    x = keras.Input((8,))
    h = keras.layers.Dense(16, activation="tanh")(x)
    h = keras.layers.BatchNormalization()(h)
    y = keras.layers.Dense(3)(keras.layers.Add()([h, keras.layers.Dense(16)(h)]))
    return keras.Model(x, y)


DATA = np.random.default_rng(0).normal(size=(10, 8)).astype("float32")


def test_outputs_are_those_of_the_layers():
    model = net()
    profile = fanin.measure(model, inputs=DATA)
    for path, layer in (("dense", model.layers[1]), ("dense_2", model.layers[5])):
        output = np.asarray(keras.Model(model.inputs, layer.output)(DATA), float)
        assert profile[path].forward.q.value == pytest.approx(np.mean(output**2), rel=1e-5)
        assert profile[path].type == "Dense"
    norm = {"batch_normalization/gamma", "batch_normalization/beta"}
    planned = {row.parameter.name for row in fanin.plan(model, "zeros")}
    assert {p.name for p in profile.parameters} == planned | norm


@pytest.mark.parametrize("options", [{}, {"scheme": "he_normal", "seeds": 2}, {"train": True}])
def test_nothing_is_changed(options):
    model = net()
    before = [weight.copy() for weight in model.get_weights()]
    fanin.measure(model, inputs=DATA, **options)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_layers_are_those_that_are_predicted():
    model = net()
    predicted, measured = fanin.propagate(model, inputs=(10, 8)), fanin.measure(model, inputs=(10, 8))
    assert list(predicted) == list(measured)
    assert [predicted[name].type for name in predicted] == [measured[name].type for name in measured]


def test_a_builder_makes_a_network_for_each_seed():
    one, other = (fanin.measure(net, inputs=DATA, seeds=2) for _ in range(2))
    assert one.to_dict() == other.to_dict()
    assert next(iter(one.layers)).forward.q.chance > 0


def test_a_model_that_is_not_built_is_refused():
    with pytest.raises(FaninError, match="is not built"):
        fanin.measure(keras.Sequential([keras.layers.Dense(3)]), inputs=DATA)


def test_pytorch_measures_the_same(tmp_path):
    model = net()
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "data.npy", DATA)
    command = [sys.executable, "-c", SCRIPT, tmp_path / "model.keras", tmp_path / "data.npy"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "KERAS_BACKEND": "torch"}, timeout=120
    )
    assert done.returncode == 0, done.stderr
    for train, line in zip((False, True), done.stdout.splitlines()[-2:], strict=True):
        there = fanin.SignalProfile.from_json(line)
        check_same(there, fanin.measure(model, inputs=DATA, loss="mse", train=train))


def check_same(there, here):
    assert list(there) == list(here)
    for name in here:
        assert there[name].forward.q.value == pytest.approx(here[name].forward.q.value, rel=1e-4)
        assert there[name].backward.q.value == pytest.approx(here[name].backward.q.value, rel=1e-3)
    gradients = {p.name: p.gradient.value for p in there.parameters}
    assert gradients == {
        p.name: pytest.approx(p.gradient.value, rel=1e-3, abs=1e-12) for p in here.parameters
    }


def recurrent(layer):
    return keras.Sequential([keras.Input((20, 32)), layer(64)])


@pytest.mark.parametrize("layer", [keras.layers.GRU, keras.layers.LSTM, keras.layers.SimpleRNN])
def test_steps_that_go_together(layer):
    """Gates are parts of one product, which go from step to step as what is read does."""
    inputs = fanin.Inputs((8, 20, 32), position=0.9)
    predicted = fanin.propagate(lambda: recurrent(layer), inputs=inputs)
    measured = fanin.measure(lambda: recurrent(layer), inputs=inputs, seeds=20, progress=False)
    (name,) = (name for name, one in predicted.items() if one.type == layer.__name__)
    assert predicted[name].forward.q.value == pytest.approx(measured[name].forward.q.value, rel=0.06)


def test_a_forget_gate_has_a_bias_of_its_own():
    bias = next(
        w for w in fanin.trace(recurrent(keras.layers.LSTM), inputs=(8, 20, 32)).weights if "bias" in w.name
    )
    assert [law.mean for law in bias.parts] == [0.0, 1.0, 0.0, 0.0]
    assert bias.source == "tensor"
