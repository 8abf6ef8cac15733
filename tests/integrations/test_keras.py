import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from fanin.errors import FaninError
from fanin.integrations.check import HealthWarning
from fanin.integrations.keras import HealthCheck
from fanin.rules.diagnosis import UnhealthyError


@pytest.mark.parametrize("backend", ["jax", "torch", "tensorflow"])
def test_a_run_is_the_same_with_it(backend):
    program = Path(__file__).with_name("keras_run.py")
    environment = os.environ | {"KERAS_BACKEND": backend}
    printed = subprocess.check_output([sys.executable, str(program)], text=True, env=environment, timeout=300)
    same = json.loads(printed.splitlines()[-1])
    assert same == {"losses": True, "variables": True, "optimizer": True, "random": True}


def network(kernel="glorot_uniform", loss="sparse_categorical_crossentropy"):
    def dense(name, units=64, activation="relu"):
        return layers.Dense(units, activation=activation, kernel_initializer=kernel, name=name)

    model = keras.Sequential(
        [keras.Input((20,)), dense("first"), dense("second"), dense("head", 10, "softmax")]
    )
    model.compile("adam", loss)
    return model


def data(examples=64):
    return np.random.default_rng(0).normal(size=(examples, 20)), np.arange(examples) % 10


def steps_of(model):
    return int(model.optimizer.iterations)


def test_it_takes_the_loss_of_the_model_and_the_first_examples():
    x, y = data()
    model, callback = network(), HealthCheck(x, y, examples=16)
    expected = model.evaluate(x[:16], y[:16], verbose=0)
    model.fit(x, y, verbose=0, callbacks=[callback])
    assert callback.diagnosis is not None
    vitals = callback.diagnosis.vitals
    assert vitals.output.kind == "cross_entropy"
    assert vitals.output.loss == pytest.approx(expected, rel=1e-4)
    assert (vitals.framework, vitals.examples) == ("keras", 16)
    names = {layer.name.removeprefix("sequential/") for layer in vitals.layers}
    assert names >= {"first", "second", "head"}


def test_another_loss():
    x, y = data()
    model, callback = network(), HealthCheck(x, np.eye(10)[y], "mean_squared_error")
    model.fit(x, y, verbose=0, callbacks=[callback])
    assert callback.diagnosis is not None
    assert callback.diagnosis.vitals.output.kind == "mse"


def test_it_warns_of_what_is_wrong_and_training_goes_on():
    x, y = data()
    model = network(keras.initializers.Constant(0.01))
    with pytest.warns(HealthWarning, match=r"(?s)is not healthy.*error SYM101 .* at \S*first: .*fix: "):
        model.fit(x, y, verbose=0, callbacks=[HealthCheck(x, y)])
    assert steps_of(model) == 2


def test_it_ends_a_run_before_the_first_step():
    x, y = data()
    model = network(keras.initializers.Constant(0.01))
    with pytest.raises(UnhealthyError, match="SYM101"):
        model.fit(x, y, verbose=0, callbacks=[HealthCheck(x, y, fail_on="error")])
    assert steps_of(model) == 0


def test_a_model_that_has_been_trained_is_not_checked():
    x, y = data()
    model, callback = network(), HealthCheck(x, y)
    model.fit(x, y, verbose=0, callbacks=[callback])
    assert callback.diagnosis is not None
    model.fit(x, y, verbose=0, callbacks=[callback])
    assert callback.diagnosis is None


def test_what_cannot_be_checked_is_said():
    x, y = data()
    with pytest.warns(HealthWarning, match="The model was not checked at step 0"):
        network().fit(x, y, verbose=0, callbacks=[HealthCheck(x[:, :3], y)])
    with pytest.raises(FaninError):
        network().fit(x, y, verbose=0, callbacks=[HealthCheck(x[:, :3], y, fail_on="error")])


def test_wrong_options_are_told_at_once():
    with pytest.raises(FaninError):
        HealthCheck(*data(), select=["NOT"])
