"""Gates of recurrent layers are those of a loop that is written out."""

import keras
import numpy as np
import pytest
from keras import layers

import fanin

X = np.random.default_rng(0).normal(size=(8, 7, 6)).astype("float32")
NORMAL = {"kernel_initializer": keras.initializers.RandomNormal(0, 1, 3)}
KINDS = [(layers.LSTM, 4, (0, 1, 3)), (layers.GRU, 3, (0, 1))]


def seen(*made, x=X):
    """Return the recurrent layers of a model of these layers."""
    model = keras.Sequential([keras.Input(x.shape[1:]), *made, layers.Dense(4)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = fanin.diagnose(model, x, np.arange(8) % 4, loss=loss)
    return [one for one in found.vitals.layers if one.kind == "recurrent"]


def by_hand(layer, x, states, number, sigmoids, there=None):
    """Return the share of saturated gates, from the states after each step."""
    kernel, recurrent = (np.asarray(one) for one in layer.get_weights()[:2])
    before = np.concatenate([np.zeros_like(states[:, :1]), states[:, :-1]], 1)
    parts = np.split(x @ kernel + before @ recurrent, number, -1)
    values = 1 / (1 + np.exp(-np.stack([parts[n] for n in sigmoids], -1)))
    return np.mean(((values < 0.03) | (values > 0.97))[... if there is None else there])


@pytest.mark.parametrize(("kind", "number", "sigmoids"), KINDS, ids=["LSTM", "GRU"])
@pytest.mark.parametrize("backwards", [False, True])
def test_gates_of_a_layer(kind, number, sigmoids, backwards):
    layer = kind(16, return_sequences=True, go_backwards=backwards, **NORMAL)
    (found,) = seen(layer, layers.Lambda(lambda h: h[:, -1]))[:1]
    x = X[:, ::-1] if backwards else X
    expected = by_hand(layer, x, np.asarray(layer(X)), number, sigmoids)
    assert expected > 0
    assert (found.function, found.saturated) == ("gates", pytest.approx(expected, abs=1e-6))


def test_gates_of_steps_that_are_there():
    ids = np.random.default_rng(1).integers(1, 9, (8, 7)) * (np.arange(7) < 5)
    table = layers.Embedding(
        9, 6, mask_zero=True, embeddings_initializer=keras.initializers.RandomNormal(0, 1, 4)
    )
    layer = layers.GRU(16, return_sequences=True, **NORMAL)
    (found,) = seen(table, layer, layers.GlobalAveragePooling1D(), x=ids)
    x = np.asarray(table(ids))
    expected = by_hand(layer, x, np.asarray(layer(x, mask=ids > 0)), 3, (0, 1), ids > 0)
    assert found.saturated == pytest.approx(expected, abs=1e-6)


def test_both_directions_have_their_own():
    several = seen(layers.Bidirectional(layers.LSTM(16, **NORMAL)))
    assert [one.function for one in several] == ["gates", "gates"]


def test_a_cell_that_is_not_known_has_none():
    (found,) = seen(layers.SimpleRNN(16, kernel_initializer=keras.initializers.RandomNormal(0, 0.1)))
    assert found.function == "tanh"
    assert found.source == pytest.approx(np.sqrt(np.mean(X**2)), rel=1e-5)


def test_large_kernels_saturate_gates():
    (found,) = seen(layers.LSTM(16, kernel_initializer=keras.initializers.RandomNormal(0, 20.0)))
    assert found.saturated > 0.5
