"""Fans keep second moments: checked on Keras' own layers by Monte Carlo."""

import keras
import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.frameworks.keras.parameters import parameters
from fanin.graph.fans import Fans, fans
from fanin.graph.parameter import Parameter

layers = keras.layers

SPATIAL = {
    "conv2d": (layers.Conv2D(24, 3, use_bias=False), (20, 20, 6)),
    "grouped": (layers.Conv2D(24, 3, groups=3, use_bias=False), (20, 20, 6)),
    "dilated": (layers.Conv2D(24, 3, dilation_rate=2, use_bias=False), (20, 20, 6)),
    "strided": (layers.Conv2D(24, 3, strides=2, use_bias=False), (31, 31, 6)),
    "conv1d": (layers.Conv1D(24, 5, use_bias=False), (50, 6)),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False), (20, 20, 16)),
    "transposed": (layers.Conv2DTranspose(24, 4, strides=2, use_bias=False, padding="same"), (16, 16, 12)),
    "transposed_1": (layers.Conv2DTranspose(24, 3, use_bias=False, padding="same"), (24, 24, 12)),
    "transposed_3": (layers.Conv1DTranspose(24, 9, strides=3, use_bias=False, padding="same"), (40, 12)),
    "dense": (layers.Dense(64, use_bias=False), (48,)),
    "einsum": (layers.EinsumDense("abc,cde->abde", (None, 4, 8), bias_axes=None), (3, 32)),
}


@pytest.mark.parametrize("name", SPATIAL)
def test_a_variance_of_one_over_fan_in_keeps_the_second_moment(name):
    layer, shape = SPATIAL[name]
    model = keras.Sequential([keras.Input(shape), layer])
    (parameter,) = parameters(model)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, *shape)).astype("float32")
    ratios = []
    for _ in range(12):
        weights = rng.normal(size=parameter.shape) / np.sqrt(fans(parameter).fan_in)
        model.set_weights([weights.astype("float32")])
        y = np.asarray(model(x))
        inner = y[:, 4:-4, 4:-4] if y.ndim == 4 and min(y.shape[1:3]) > 12 else y
        ratios.append((inner**2).mean())
    assert np.mean(ratios) == pytest.approx(1, abs=0.12)


def named(model, ending):
    return next(p for p in parameters(model) if p.name.endswith(ending))


def test_gates_are_matrices_of_their_own():
    model = keras.Sequential([keras.Input((7, 5)), layers.LSTM(16)])
    assert fans(named(model, "lstm_cell/kernel")) == Fans(5, 16)
    assert fans(named(model, "recurrent_kernel")) == Fans(16, 16)
    assert named(model, "recurrent_kernel").kind == "recurrent"
    assert fans(named(model, "bias")) == Fans(5, 16)


def test_wrapped_and_nested_layers_are_reached():
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
    inputs = keras.Input((4, 6))
    x = layers.TimeDistributed(inner)(inputs)
    x = layers.Bidirectional(layers.GRU(5, return_sequences=True))(x)
    x = layers.MultiHeadAttention(2, 8)(x, x)
    model = keras.Model(inputs, layers.LayerNormalization()(layers.SeparableConv1D(4, 2)(x)))
    kinds = {p.name: p.kind for p in parameters(model) if "seed" not in p.name}
    assert "unknown" not in kinds.values(), kinds
    assert len(parameters(model)) == len(model.variables)


def test_embeddings_and_norms_are_no_kernels():
    model = keras.Sequential([keras.Input((4,)), layers.Embedding(10, 3), layers.BatchNormalization()])
    assert [p.kind for p in parameters(model)] == ["embedding", *["norm"] * 4]


def test_an_unknown_layer_is_unknown_and_its_fans_are_refused():
    class Mine(layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 2))

        def call(self, x):
            return x @ self.kernel

    model = keras.Sequential([keras.Input((4,)), Mine()])
    (parameter,) = parameters(model)
    assert parameter.kind == "unknown"
    with pytest.raises(FaninError, match="unknown"):
        fans(parameter)


def test_fans_are_never_guessed_from_a_shape():
    with pytest.raises(FaninError):
        fans(Parameter("w", (3, 3, 4, 8), "kernel"))
