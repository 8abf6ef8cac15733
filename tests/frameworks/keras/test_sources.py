import keras
import pytest

from fanin.frameworks.keras.graph import Graph
from fanin.frameworks.keras.sources import activation_name, inputs_of_layers

layers, ops = keras.layers, keras.ops


def fed(*path):
    """Return what feeds a last layer behind some functions of images."""
    inputs = x = keras.Input((8, 8, 3))
    for step in path:
        x = step(x)
    last = layers.Dense(2)
    return dict(inputs_of_layers(Graph(keras.Model(inputs, last(x))))).get(last, "")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ([layers.Flatten()], "data"),
        ([layers.Rescaling(1 / 255), layers.Flatten()], "data"),
        ([layers.Normalization(mean=0.0, variance=1.0)], "data"),
        ([layers.Conv2D(4, 3)], "Conv2D"),
        ([layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()], "relu"),
        ([layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Dropout(0.1)], "norm"),
        ([layers.BatchNormalization(), layers.ReLU(6)], "relu6"),
        ([layers.ReLU(negative_slope=0.25)], "leaky_relu(0.25)"),
        ([layers.ReLU(threshold=1.0)], ""),
        ([layers.LeakyReLU(0.1), layers.Activation("linear")], "leaky_relu(0.1)"),
        ([layers.ELU(), layers.GlobalAveragePooling2D()], "elu"),
        ([lambda x: x + layers.Conv2D(3, 1)(x)], "sum"),
        ([ops.gelu, lambda x: ops.reshape(x, (-1, 192))], "gelu_tanh"),
        ([lambda x: ops.gelu(x, approximate=False)], "gelu"),
        ([ops.leaky_relu], "leaky_relu(0.2)"),
        ([lambda x: ops.elu(x, 2.0)], "elu(2)"),
        ([layers.Dense(3, activation="leaky_relu")], "leaky_relu(0.2)"),
        ([layers.Dense(3, activation="softmax")], ""),
        ([layers.Dense(3, activation=lambda x: x)], ""),
        ([lambda x: x * 3], ""),
        ([layers.Activation(keras.activations.silu), lambda x: ops.mean(x, axis=1)], "silu"),
    ],
)
def test_what_feeds_a_layer(path, expected):
    assert fed(*path) == expected


def test_layers_inside_of_layers_are_fed_too():
    queries, keys = keras.Input((4, 6)), keras.Input((5, 6))
    attention = layers.MultiHeadAttention(2, 3)
    each = layers.TimeDistributed(layers.Dense(4))
    both = layers.Bidirectional(layers.LSTM(2, return_sequences=True))
    x = attention(ops.tanh(queries), layers.LayerNormalization()(keys))
    model = keras.Model([queries, keys], each(both(x)))
    found = {layer.name: source for layer, source in inputs_of_layers(Graph(model))}
    assert (found["query"], found["key"], found["value"]) == ("tanh", "norm", "norm")
    assert "attention_output" not in found
    assert found[both.forward_layer.cell.name] == "MultiHeadAttention"
    assert found[each.layer.name] == "Bidirectional"


def test_a_layer_of_several_uses_is_told_what_they_agree_on():
    inputs = keras.Input((4,))
    same, other = layers.Dense(4), layers.Dense(4)
    x = same(inputs) + other(inputs)
    model = keras.Model(inputs, other(ops.relu(x)) + same(inputs))
    found = dict(inputs_of_layers(Graph(model)))
    assert found[same] == "data"
    assert other not in found


def test_an_activation_of_the_users_has_its_own_name():
    def soft(x):
        return x

    assert activation_name(layers.Dense(1, activation=soft)) == "soft"
    assert activation_name(layers.Dense(1)) == "linear"
