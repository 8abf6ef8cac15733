"""Keras models as graphs: the graph, interpreted, computes what the model computes."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest
from keras import layers

from fanin.errors import FaninError
from fanin.frameworks.keras.build import canonical_paths
from fanin.frameworks.keras.inventory import inventory
from fanin.frameworks.keras.recorder import recording
from fanin.frameworks.keras.signal import signal_graph
from fanin.theory.recognition import recognize
from interpreter import interpret


def image(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def made(make):
    """Return a model with random variables, none of them all 0 or 1, so that each shows in the output."""
    rng = np.random.default_rng(1)
    with recording(draw=False):  # initializers would be compiled, one by one
        model = make()
    for variable in model.variables:
        if "float" in str(variable.dtype):
            values = rng.standard_normal(variable.shape)
            variable.assign(
                jax.device_put((0.3 * values if values.ndim > 1 else np.abs(values)).astype("float32"))
            )
    return model


def outputs(model, *inputs):
    state = [[v.value for v in held] for held in (model.trainable_variables, model.non_trainable_variables)]
    return jax.jit(lambda state, *x: model.stateless_call(*state, *x, training=False)[0])(state, *inputs)


def weights_of(model):
    return {n: np.asarray(v) for n, v in zip(canonical_paths(model), model.variables, strict=True)}


def mlp():
    return keras.Sequential([
        keras.Input((6,)), layers.Dense(8, activation="gelu"), layers.Dropout(0.2),
        layers.LayerNormalization(), layers.Dense(8, activation="swish"), layers.BatchNormalization(),
        layers.Dense(3, activation="softmax"),
    ])  # fmt: skip


def cnn():
    x = inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.BatchNormalization()(x)
    shortcut = layers.Conv2D(8, 1)(x)
    x = layers.SeparableConv2D(8, 3, padding="same")(x)
    x = layers.DepthwiseConv2D(3, padding="same", dilation_rate=2)(x)
    x = layers.GroupNormalization(2)(layers.add([x, shortcut]))
    x = layers.MaxPooling2D(2)(layers.ReLU()(x))
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(x)
    x = layers.AveragePooling2D(2, padding="same")(layers.ZeroPadding2D(1)(x))
    x = layers.concatenate([x, layers.LeakyReLU(0.2)(x)])
    gate = layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.multiply([x, gate]))))


def transformer():
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(11, 16)(tokens)
    h = layers.LayerNormalization()(x)
    x = layers.add([x, layers.MultiHeadAttention(2, 8, dropout=0.1)(h, h, use_causal_mask=True)])
    h = layers.RMSNormalization()(x)
    x = layers.add([x, layers.GroupQueryAttention(8, 4, 2)(h, h)])
    return keras.Model(tokens, layers.Dense(11)(layers.Dense(32, activation="relu")(x)))


def recurrent(layer):
    return keras.Sequential(
        [keras.Input((5, 4)), layer(8, return_sequences=True), layers.Bidirectional(layer(6))]
    )


MODELS = {
    "mlp": (mlp, image(4, 6)),
    "cnn": (cnn, image(2, 16, 16, 3)),
    "transformer": (transformer, np.arange(12, dtype=np.int32).reshape(2, 6) % 11),
    "lstm": (lambda: recurrent(layers.LSTM), image(2, 5, 4)),
    "gru": (lambda: recurrent(layers.GRU), image(2, 5, 4)),
    "rnn": (lambda: recurrent(layers.SimpleRNN), image(2, 5, 4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_computes_what_the_model_computes(name):
    make, x = MODELS[name]
    model = made(make)
    expected = outputs(model, x)
    graph = signal_graph(model, x)
    assert not [node for node in graph if node.op == "opaque"]
    for found in (graph, recognize(graph)):
        np.testing.assert_allclose(interpret(found, weights_of(model), x)[0], expected, rtol=1e-4, atol=1e-4)


def test_norms_pools_and_attention_are_found():
    found = recognize(signal_graph(made(cnn), image(2, 16, 16, 3)))
    norms = {node["kind"]: node["slots"] for node in found if node.op == "norm"}
    assert norms == {"batch": ("scale", "offset", "mean", "variance"), "group": ("scale", "offset")}
    assert [node["kind"] for node in found if node.op == "pool"] == ["max", "average"]
    found = recognize(signal_graph(made(transformer), MODELS["transformer"][1]))
    attention = [(n["heads"], n["key_heads"], n["causal"]) for n in found if n.op == "attention"]
    assert attention == [(2, 2, True), (4, 2, False)]
    assert [node["kind"] for node in found if node.op == "norm"] == ["layer", "rms"]


def test_training_takes_statistics_of_the_batch_and_drops():
    found = recognize(signal_graph(made(mlp), image(4, 6), train=True))
    assert [node["rate"] for node in found if node.op == "dropout"] == [pytest.approx(0.2)]
    batch = [node for node in found if node.op == "norm" and node["kind"] == "batch"]
    assert [(node["train"], node["slots"]) for node in batch] == [(True, ("scale", "offset"))]


def test_names_layers_and_lines():
    model = made(mlp)
    graph = signal_graph(model, image(4, 6))
    kept = {p.name for p in inventory(model).parameters}
    assert {w.name for w in graph.weights if w.trainable} == kept
    assert list(graph.layers) == [
        "sequential/dense", "dropout", "sequential/layer_normalization", "sequential/dense_1",
        "sequential/batch_normalization", "sequential/dense_2",
    ]  # fmt: skip
    assert graph[graph.layers["sequential/dense_1"]].source.type == "Dense"
    assert keras.layers.Layer.__call__.__qualname__ == "Layer.__call__"


def test_several_inputs():
    one, other = keras.Input((3,), name="one"), keras.Input((3,), name="other")
    model = keras.Model([one, other], layers.Dense(2)(layers.add([one, other])))
    x, y = image(2, 3), image(2, 3)
    graph = signal_graph(model, [x, y])
    assert [node.name for node in graph if node.op == "input"] == ["one", "other"]
    np.testing.assert_allclose(interpret(graph, weights_of(model), x, y)[0], model([x, y]), rtol=1e-5)


def test_mistakes_are_told():
    with pytest.raises(FaninError, match="is not built"):
        signal_graph(keras.Sequential([layers.Dense(2)]), image(2, 3))
    with pytest.raises(FaninError, match="without an example input"):
        signal_graph(made(mlp), None)
    with pytest.raises(FaninError, match="cannot be traced"):
        signal_graph(made(mlp), image(4, 7))
