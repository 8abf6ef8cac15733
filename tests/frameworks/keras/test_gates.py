"""What the gates of Keras' recurrent layers begin with."""

import keras

from fanin.frameworks.keras.gates import laws_of_gates


def test_biases_of_several_gates_only():
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            keras.layers.GRU(4, return_sequences=True),
            keras.layers.LSTM(2, unit_forget_bias=False, return_sequences=True),
            keras.layers.SimpleRNN(3),
            keras.layers.Dense(2),
        ]
    )
    found = laws_of_gates(model)
    assert list(found) == ["sequential/gru/gru_cell/bias", "sequential/lstm/lstm_cell/bias"]
    gru, lstm = found.values()
    assert (len(gru.parts), gru.axis, gru.shape) == (3, 1, (2, 12))
    assert {law.mean for law in (*gru.parts, *lstm.parts)} == {0.0}
