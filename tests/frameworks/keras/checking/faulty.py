"""Public faulty programs and healthy models as Keras has them, and which fault each has."""

from __future__ import annotations

import inspect

import keras
import numpy as np
from keras import layers

from rules import faulty as torchs

he, glorot = "he_normal", "glorot_uniform"
init = keras.initializers


def chain(*sizes, kernel, act="relu", last=None, bias="zeros", head=None):
    """Return layers of these sizes with an activation inside of each but the last.

    An initializer draws the same again and again: functions make a new one for each layer.
    """

    def dense(size, activation, kernel):
        made = (one() if inspect.isfunction(one) else one for one in (kernel, bias))
        return layers.Dense(size, activation, True, *made)

    body = [dense(size, act, kernel) for size in sizes[1:-1]]
    return keras.Sequential([keras.Input((sizes[0],)), *body, dense(sizes[-1], last, head or kernel)])


def base_cnn(kernel, head=None):
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 5, padding="same", activation="relu", kernel_initializer=kernel),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu", kernel_initializer=kernel),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(256, activation="relu", kernel_initializer=kernel),
            layers.Dense(10, activation="softmax", kernel_initializer=head or kernel),
        ]
    )


def digits(*, flat=True, scale=1.0):
    x, y = torchs.digits(flat=flat, scale=scale)
    x = x.numpy() if flat else x.permute(0, 2, 3, 1).numpy()
    return x, y.numpy()


def pictures(scale=1.0):
    x, y = torchs.pictures(scale=scale)
    return x.permute(0, 2, 3, 1).numpy(), y.numpy()


def points():
    return tuple(one.numpy() for one in torchs.points())


def small():
    return init.RandomUniform(-0.05, 0.05)


def wide():
    return init.RandomNormal(stddev=1.0)


SPARSE, BINARY = "sparse_categorical_crossentropy", "binary_crossentropy"


def a1():
    return base_cnn(init.Constant(0.01)), *digits(flat=False), SPARSE


def a9():
    return base_cnn(he, glorot), *digits(flat=False, scale=255.0), SPARSE


def b3():
    return chain(2, *[5] * 8, 1, kernel=small, head="he_uniform", last="sigmoid"), *points(), BINARY


def b5():
    sizes = {"activation": "sigmoid", "kernel_initializer": he}
    body = [
        layers.Conv2D(6, 5, **sizes),
        layers.AveragePooling2D(2),
        layers.Conv2D(16, 5, **sizes),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(120, **sizes),
        *(layers.Dense(84, **sizes) for _ in range(8)),
    ]
    model = keras.Sequential([keras.Input((28, 28, 1)), *body, layers.Dense(10, activation="softmax")])
    return model, *digits(flat=False), SPARSE


def c1():
    x, y = digits()
    model = chain(784, 30, 10, kernel=wide, act=None, bias=wide)
    return model, x, np.eye(10, dtype="float32")[y], "mse"


def c3():
    x = np.random.default_rng(0).uniform(0, 10000, (128, 3)).astype("float32")
    model = chain(3, 3, 2, 1, kernel=small, act="tanh", last="softmax")
    return model, x, (x[:, :1] > 5000).astype("float32"), BINARY


def c6():
    x = np.random.default_rng(0).uniform(0, 10, (64, 11)).astype("float32")
    model = chain(11, 12, 12, 1, kernel=lambda: init.RandomNormal(stddev=0.05), last="relu")
    *body, kernel, bias = model.get_weights()
    model.set_weights([*map(np.abs, body), -np.abs(kernel), bias])
    return model, x, (x[:, :1] > 5).astype("float32"), BINARY


def d1():
    parts = [
        part
        for number in range(4)
        for part in (layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPooling2D())[
            : 2 if number else 1
        ]
    ]
    head = [layers.Flatten(), layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((32, 32, 3)), *parts, *head]), *pictures(255.0), SPARSE


def d28():
    one = init.HeNormal(seed=7)  # one instance, which draws the same for each layer of a shape
    return chain(784, 128, 128, 128, 10, kernel=one, last="softmax"), *digits(), SPARSE


def healthy_mlp():
    return chain(784, 256, 128, 10, kernel=he, head=glorot, last="softmax"), *digits(), SPARSE


def healthy_cnn():
    x, y = pictures()
    parts = [
        part
        for size in (16, 32, 64)
        for part in (layers.Conv2D(size, 3, padding="same"), layers.BatchNormalization(), layers.ReLU())
    ]
    head = [layers.GlobalAveragePooling2D(), layers.Dropout(0.5), layers.Dense(10)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return keras.Sequential([keras.Input((32, 32, 3)), *parts, *head]), (x - 0.5) / 0.25, y, loss


def healthy_transformer():
    ids = keras.Input((32,), dtype="int32")
    h = layers.Embedding(200, 64)(ids)
    for _ in range(2):
        n = layers.LayerNormalization()(h)
        h = h + layers.MultiHeadAttention(4, 16, dropout=0.1)(n, n, use_causal_mask=True)
        n = layers.LayerNormalization()(h)
        h = h + layers.Dense(64)(layers.Dense(256, activation="gelu")(n))
    model = keras.Model(ids, layers.Dense(200)(layers.LayerNormalization()(h)))
    random = np.random.default_rng(0)
    x, y = (random.integers(0, 200, (8, 32)) for _ in range(2))
    return model, x, y, keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def healthy_lstm():
    model = keras.Sequential(
        [
            keras.Input((20,), dtype="int32"),
            layers.Embedding(200, 32, mask_zero=True),
            layers.LSTM(64, dropout=0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    random = np.random.default_rng(0)
    return model, random.integers(0, 200, (64, 20)), random.integers(0, 2, 64), BINARY


def all_dropped():
    body = [layers.Dense(64, "relu"), layers.Dropout(1.0), layers.Dense(10, "softmax")]
    return keras.Sequential([keras.Input((784,)), *body]), *digits(), "sparse_categorical_crossentropy"


def softmax_twice():
    body = [layers.Dense(64, "relu"), layers.Dense(10, "softmax"), layers.Activation("softmax")]
    return keras.Sequential([keras.Input((784,)), *body]), *digits(), "sparse_categorical_crossentropy"


FAULTY = {
    "A1 constant kernels": (a1, ("SYM",), "conv2d"),
    "A9 raw pixels": (a9, ("INP",), ""),
    "B3 deep and small": (b3, ("FWD",), ""),
    "B5 LeNet of sigmoids": (b5, ("BWD",), ""),
    "C1 linear, N(0, 1)": (c1, ("OUT",), "dense_1"),
    "C3 inputs to 10000": (c3, ("INP", "SAT"), ""),
    "C6 ReLU at the output": (c6, ("SAT",), ""),
    "D1 CIFAR, raw": (d1, ("INP",), ""),
    "All is dropped": (all_dropped, ("SAT",), "dropout"),
    "softmax twice": (softmax_twice, ("OUT",), "dense_1"),
    "D28 one initializer": (d28, ("SYM",), "dense_1/kernel"),
}
"""What makes a program, the families of rules of which one is to be found, and where, if that is clear."""

HEALTHY = {
    "MLP": healthy_mlp,
    "CNN": healthy_cnn,
    "transformer": healthy_transformer,
    "LSTM": healthy_lstm,
}
