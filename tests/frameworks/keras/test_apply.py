import subprocess
import sys

import keras
import numpy as np
import pytest

import fanin
from fanin.errors import FaninError
from fanin.frameworks.keras.inventory import inventory

layers = keras.layers


def network():
    return keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            layers.Embedding(20, 5),
            layers.LSTM(6),
            layers.Dense(8, activation="gelu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(1),
        ]
    )


def by_name(model):
    return {p.name.partition("/")[2]: p for p in inventory(model).parameters}


def test_names_do_not_count_earlier_models():
    first, second = inventory(network()), inventory(network())
    assert [p.name for p in first.parameters] == [p.name for p in second.parameters]


def test_no_two_variables_have_one_name():
    names = ("conv_1", "conv_2", "conv_1_1", "conv", "conv_1_2")
    model = keras.Sequential([keras.Input((3,)), *(layers.Dense(3, name=name) for name in names)])
    assert len({p.name for p in inventory(model).parameters}) == 2 * len(names)


def test_models_inside_of_a_model_may_have_layers_of_the_same_names():
    def inside():
        inputs = keras.Input((3,))
        return keras.Model(inputs, layers.Dense(3, name="same")(inputs))

    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Add()([inside()(inputs), inside()(inputs)]))
    names = [p.name for p in inventory(model).parameters]
    assert names == ["same/kernel", "same/bias", "same_1/kernel", "same_1/bias"]
    fanin.initialize(model, "he_normal")
    one, _, other, _ = model.get_weights()
    assert not np.array_equal(one, other)


def test_roles_gates_and_inputs():
    found = by_name(network())
    assert found["embedding/embeddings"].roles == ("embedding",)
    assert found["lstm/lstm_cell/recurrent_kernel"].roles == ("recurrent", "gate")
    assert found["lstm/lstm_cell/bias"].gate_names == ("input", "forget", "cell", "output")
    assert found["dense_1/kernel"].roles == ("head",)
    assert found["dense_1/kernel"].inputs == "norm"
    assert found["dense/kernel"].inputs == "tanh"
    assert found["dense/kernel"].layer == "Dense"


def test_the_order_of_the_gates_is_keras():
    """The gate that is called "forget" is the one that Keras opens with `unit_forget_bias`."""
    model = keras.Sequential([keras.Input((3, 2)), layers.LSTM(4)])
    bias = np.asarray(model.variables[2])
    place = by_name(model)["lstm/lstm_cell/bias"].gate_names.index("forget")
    np.testing.assert_array_equal(np.flatnonzero(bias), np.arange(4 * place, 4 * place + 4))


def test_attention_has_its_roles():
    inputs = keras.Input((5, 8))
    model = keras.Model(inputs, layers.MultiHeadAttention(2, 4)(inputs, inputs))
    assert {p.roles for p in inventory(model).parameters if p.kind == "kernel"} == {
        ("query",),
        ("key",),
        ("value",),
        ("attention_out",),
    }


def test_weights_are_a_function_of_seed_and_name():
    policy = fanin.Policy({"embedding": "uniform"}, default="he_normal")
    first, second = (fanin.initialize(network(), policy, seed=2) for _ in range(2))
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    kernel = first.layers[2].kernel
    assert float(np.std(np.asarray(kernel))) == pytest.approx(np.sqrt(2 / 6), rel=0.25)


def test_what_is_not_trained_stays():
    model = network()
    model.layers[2].trainable = False
    model.layers[3].moving_mean.assign(np.full(8, 3.0))
    before = np.asarray(model.layers[2].kernel)
    plan = fanin.plan(model, "ones")
    fanin.apply(plan, model)
    np.testing.assert_array_equal(np.asarray(model.layers[2].kernel), before)
    np.testing.assert_array_equal(np.asarray(model.layers[3].moving_mean), np.full(8, 3.0))
    reasons = {kept.name.partition("/")[2]: kept.reason for kept in plan.untouched}
    assert reasons["dense/kernel"] == "not trainable"
    assert reasons["batch_normalization/gamma"] == "norms stay as they are"


def test_a_model_that_is_not_built_says_how():
    with pytest.raises(FaninError, match="is not built") as error:
        fanin.plan(keras.Sequential([layers.Dense(3)]))
    assert "model.build((None, 20))" in str(error.value)


def test_a_plan_for_another_model_changes_nothing():
    plan = fanin.plan(network(), "zeros")
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    before = model.get_weights()
    with pytest.raises(FaninError, match="the model has no such variable"):
        fanin.apply(plan, model)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


PROGRAM = """
import keras, fanin, numpy as np
model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)])
fanin.initialize(model, "glorot_uniform", seed=9)
values = [np.asarray(keras.ops.convert_to_numpy(w)) for w in model.weights]
print(keras.backend.backend(), *(float(value.sum()) for value in values))
"""


def test_every_backend_gets_the_same_weights():
    seen = {}
    for backend in ("jax", "torch", "tensorflow"):
        pytest.importorskip(backend, exc_type=ImportError)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PATH": "", "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "HOME": "/tmp"},
            capture_output=True,
            text=True,
        )
        name, *sums = done.stdout.split()
        assert name == backend, done.stderr
        seen[backend] = sums
    assert len({tuple(sums) for sums in seen.values()}) == 1
