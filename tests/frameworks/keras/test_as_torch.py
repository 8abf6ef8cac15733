"""Keras models on the torch backend as graphs, in a process of its own, as Keras has one backend in each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import keras
import numpy as np
from keras import layers

from fanin.frameworks.keras.build import canonical_paths
from fanin.frameworks.keras.signal import signal_graph
from fanin.theory.recognition import recognize
from interpreter import interpret

assert keras.backend.backend() == "torch"
tokens = keras.Input((6,), dtype="int32")
x = layers.Embedding(11, 8)(tokens)
h = layers.LayerNormalization()(x)
x = layers.add([x, layers.MultiHeadAttention(2, 4)(h, h, use_causal_mask=True)])
x = layers.BatchNormalization()(layers.Conv1D(8, 3, activation="relu")(x))
x = layers.Dropout(0.2)(layers.GlobalAveragePooling1D()(x))
model = keras.Model(tokens, layers.Dense(3, activation="gelu")(x))
rng = np.random.default_rng(0)
for variable in model.variables:
    if "float" in str(variable.dtype):
        variable.assign(np.abs(rng.standard_normal(variable.shape)).astype("float32"))

ids = np.arange(12).reshape(2, 6).astype("int32") % 11
expected = keras.ops.convert_to_numpy(model(ids, training=False))
weights = {n: keras.ops.convert_to_numpy(v) for n, v in zip(canonical_paths(model), model.variables)}
graph = signal_graph(model, ids)
assert "opaque" not in {node.op for node in graph}
for found in (graph, recognize(graph)):
    np.testing.assert_allclose(interpret(found, weights, ids)[0], expected, rtol=1e-4, atol=1e-4)
found = recognize(graph)
assert [n["causal"] for n in found if n.op == "attention"] == [True]
assert [n["kind"] for n in found if n.op == "norm"] == ["layer", "batch"]
assert {w.name for w in graph.weights} <= set(canonical_paths(model))
kept = {w.name.rpartition("/")[2] for w in graph.weights if not w.trainable}
assert kept == {"moving_mean", "moving_variance"}
assert {"embedding", "conv1d", "dense", "multi_head_attention/query"} <= set(graph.layers)
assert graph[graph.layers["conv1d"]].source.type == "Conv1D"
train = recognize(signal_graph(model, ids, train=True))
assert [n["train"] for n in train if n.op == "norm" and n["kind"] == "batch"] == [True]
assert [n["rate"] for n in train if n.op == "dropout" and n["rate"]] == [0.2]
"""


def test_a_model_on_torch():
    tests = Path(__file__).parents[2]
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(tests)}
    command = [sys.executable, "-c", _SCRIPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
