"""Every optimizer, loss and metric of Keras' trains many runs at once as `fit` trains each."""

import inspect

import keras
import numpy as np
import pytest

from fanin.experiments.choices import as_choices
from fanin.frameworks.keras.loop import LoopTrainer
from fanin.frameworks.keras.train import KerasTrainer
from fanin.frameworks.training import Data, Factory, Recipe

layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(44, 6)).astype("float32")
LABELS = (X[:, 0] > 0).astype("int32")
ONE_HOT = np.eye(3, dtype="float32")[RNG.integers(0, 3, 44)]


def equal_to_fit(make, data, recipe, *, atol=1e-6):
    trainer = KerasTrainer(Factory(make, True, "model"), data, recipe)
    todo = [(choice, seed) for choice in as_choices(["he_normal"]) for seed in (0, 1)]
    runs = [run for block in trainer.train(todo) for run in block]
    assert trainer.notes == []
    loop = LoopTrainer(lambda c: trainer._build(c, draw=True), trainer._starts, data, recipe, {})
    expected = loop.fit(*todo[1])
    assert sorted(runs[1].curves) == sorted(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(runs[1].curves[name], values, rtol=1e-4, atol=atol, err_msg=name)


def dense(units, activation=None):
    def make(initializer):
        inputs = keras.Input((6,))
        hidden = layers.Dense(5, "tanh", kernel_initializer=initializer)(inputs)
        return keras.Model(inputs, layers.Dense(units, activation)(hidden))

    return make


def public(module, base):
    return sorted(
        name
        for name, thing in vars(module).items()
        if inspect.isclass(thing) and issubclass(thing, base) and thing is not base
    )


# Two wrap other optimizers, so they cannot be made by their names alone.
OPTIMIZERS = [
    name
    for name in public(keras.optimizers, keras.optimizers.Optimizer)
    if name not in ("LossScaleOptimizer", "MultiOptimizer")
]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    optimizer = getattr(keras.optimizers, name)(0.01)
    equal_to_fit(dense(1), Data(X, LABELS), Recipe(2, 16, optimizer, "mse"))


def test_loss_scaling_clipping_averaging_and_accumulation():
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(
            0.01, clipnorm=0.1, use_ema=True, ema_overwrite_frequency=2, gradient_accumulation_steps=2
        )
    )
    equal_to_fit(dense(1), Data(X, LABELS), Recipe(3, 16, optimizer, "mse"))


POSITIVE = np.abs(X[:, :1]) + 0.5
LOSSES = {
    "binary_crossentropy": ("sigmoid", 1, LABELS[:, None]),
    "binary_focal_crossentropy": ("sigmoid", 1, LABELS[:, None]),
    "categorical_crossentropy": ("softmax", 3, ONE_HOT),
    "categorical_focal_crossentropy": ("softmax", 3, ONE_HOT),
    "categorical_hinge": ("softmax", 3, ONE_HOT),
    "cosine_similarity": (None, 3, ONE_HOT),
    "dice": ("sigmoid", 3, ONE_HOT),
    "hinge": ("tanh", 1, LABELS[:, None]),
    "huber": (None, 1, X[:, :1]),
    "kl_divergence": ("softmax", 3, ONE_HOT),
    "log_cosh": (None, 1, X[:, :1]),
    "mae": (None, 1, X[:, :1]),
    "mape": (None, 1, POSITIVE),
    "mse": (None, 1, X[:, :1]),
    "msle": ("softplus", 1, POSITIVE),
    "poisson": ("softplus", 1, POSITIVE),
    "sparse_categorical_crossentropy": ("softmax", 3, ONE_HOT.argmax(1).astype("int32")),
    "squared_hinge": ("tanh", 1, LABELS[:, None]),
    "tversky": ("sigmoid", 3, ONE_HOT),
}


def test_losses():
    """All in one model, an output each."""

    def make(initializer):
        inputs = keras.Input((6,))
        hidden = layers.Dense(5, "tanh", kernel_initializer=initializer)(inputs)
        heads = {
            name: layers.Dense(units, activation, name=name)(hidden)
            for name, (activation, units, _) in LOSSES.items()
        }
        return keras.Model(inputs, heads)

    targets = {name: y for name, (_, _, y) in LOSSES.items()}
    equal_to_fit(make, Data(X, targets), Recipe(2, 16, "adam", {name: name for name in LOSSES}))


BINARY_METRICS = [
    "accuracy",
    "binary_crossentropy",
    keras.metrics.AUC(num_thresholds=11),
    keras.metrics.AUC(curve="PR", num_thresholds=11, name="pr"),
    keras.metrics.BinaryIoU(),
    keras.metrics.FalseNegatives(),
    keras.metrics.FalsePositives(),
    keras.metrics.Precision(),
    keras.metrics.PrecisionAtRecall(0.5, num_thresholds=11),
    keras.metrics.Recall(),
    keras.metrics.SensitivityAtSpecificity(0.5, num_thresholds=11),
    keras.metrics.TrueNegatives(),
    keras.metrics.TruePositives(),
]
CLASS_METRICS = [
    "accuracy",
    keras.metrics.CategoricalCrossentropy(),
    keras.metrics.F1Score(average="macro"),
    keras.metrics.FBetaScore(average="micro"),
    keras.metrics.KLDivergence(),
    keras.metrics.OneHotMeanIoU(num_classes=3),
    keras.metrics.TopKCategoricalAccuracy(k=2),
]
NUMBER_METRICS = [
    "mae",
    keras.metrics.ConcordanceCorrelation(),
    keras.metrics.CosineSimilarity(),
    keras.metrics.LogCoshError(),
    keras.metrics.MeanAbsolutePercentageError(),
    keras.metrics.PearsonCorrelation(),
    keras.metrics.R2Score(),
    keras.metrics.RootMeanSquaredError(),
]


@pytest.mark.parametrize(
    ("make", "y", "loss", "metrics"),
    [
        (dense(1, "sigmoid"), LABELS[:, None], "binary_crossentropy", BINARY_METRICS),
        (dense(3, "softmax"), ONE_HOT, "categorical_crossentropy", CLASS_METRICS),
        (dense(3), X[:, :3], "mse", NUMBER_METRICS),
    ],
    ids=["binary", "classes", "numbers"],
)
def test_metrics(make, y, loss, metrics):
    data = Data(X[:32], y[:32], X[32:], y[32:])
    equal_to_fit(make, data, Recipe(2, 16, "adam", loss, tuple(metrics)), atol=1e-5)


def recurrent(initializer):
    return keras.Sequential(
        [
            keras.Input((6, 1)),
            layers.LSTM(4, kernel_initializer=initializer, return_sequences=True),
            layers.Bidirectional(layers.GRU(3)),
            layers.Dense(1),
        ]
    )


def attentive(initializer):
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 8)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4, dropout=0.2)(x, x))
    x = layers.Dense(8, "gelu", kernel_initializer=initializer)(x)
    return keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(x)))


def mixed(initializer):
    model = dense(1)(initializer)
    for layer in model.layers:
        layer.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    return model


@pytest.mark.parametrize(
    ("make", "x"),
    [(recurrent, X[:, :, None]), (attentive, RNG.integers(0, 9, (44, 6)).astype("int32")), (mixed, X)],
    ids=["recurrent", "attentive", "mixed_precision"],
)
def test_architectures(make, x):
    equal_to_fit(make, Data(x, X[:, :1]), Recipe(2, 16, "adam", "mse"), atol=2e-3 if make is mixed else 1e-6)
