"""What fanin trains equals what Keras' own `fit` trains, from the same weights and the same batches."""

import keras
import numpy as np
import pytest

from fanin.experiments.choices import as_choices
from fanin.frameworks.keras.loop import LoopTrainer
from fanin.frameworks.keras.mlp import mlp
from fanin.frameworks.keras.train import KerasTrainer
from fanin.frameworks.order import data_order
from fanin.frameworks.training import Data, Factory, Recipe

layers = keras.layers


def table(examples=150, features=12, test=45):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(examples + test, features)).astype("float32")
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).astype("int32")
    return Data(x[:examples], y[:examples], x[examples:], y[examples:])


def images():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 8, 8, 1)).astype("float32")
    y = (x[:, :4].mean((1, 2, 3)) > x[:, 4:].mean((1, 2, 3))).astype("int32")
    return Data(x[:96], y[:96], x[96:], y[96:])


def normalized(initializer):
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, kernel_initializer=initializer),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.0),
            layers.Dense(1, activation="sigmoid", kernel_initializer=initializer),
        ]
    )


def dropped(initializer):
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, activation="relu", kernel_initializer=initializer, kernel_regularizer="l2"),
            layers.Dropout(0.5),
            layers.GaussianNoise(0.1),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def convolutional(initializer):
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(6, 3, activation="relu", kernel_initializer=initializer),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, activation="relu", kernel_initializer=initializer),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )


class Unbuilt(keras.Model):
    """A subclassed model with no build method: its variables come with its first call."""

    def __init__(self, initializer):
        super().__init__()
        self.hidden = layers.Dense(8, activation="tanh", kernel_initializer=initializer)
        self.out = layers.Dense(1, activation="sigmoid")

    def call(self, inputs):
        return self.out(self.hidden(inputs))


BINARY = Recipe(4, 32, "adam", "binary_crossentropy", ("accuracy",))
SCHEDULE = keras.optimizers.schedules.ExponentialDecay(0.05, decay_steps=3, decay_rate=0.5)

CASES = {
    "mlp": (mlp(12, 1, "sigmoid"), table(), BINARY),
    "batchnorm_dropout0": (normalized, table(), BINARY),
    "dropout": (dropped, table(), BINARY),
    "cnn": (convolutional, images(), Recipe(3, 16, "sgd", "sparse_categorical_crossentropy", ("accuracy",))),
    "short_batch_only": (mlp(12, 1, "sigmoid"), table(20, test=7), BINARY),
    "class_weight": (
        mlp(12, 1, "sigmoid"),
        table(),
        Recipe(3, 32, "adam", "binary_crossentropy", (), {0: 1.0, 1: 5.0}),
    ),
    "schedule": (
        mlp(12, 1, "sigmoid"),
        table(),
        Recipe(
            3,
            32,
            keras.optimizers.SGD(SCHEDULE, momentum=0.9),
            "mse",
            ("mae", keras.metrics.AUC(num_thresholds=20)),
        ),
    ),
    "subclassed": (Unbuilt, table(), BINARY),
    "no_test_data": (mlp(12, 1, "sigmoid"), Data(table().x_train, table().y_train), BINARY),
}


def trained(name, schemes=("glorot_uniform", "he_normal"), seeds=(0, 3)):
    make, data, recipe = CASES[name]
    trainer = KerasTrainer(Factory(make, takes_initializer=True, name=name), data, recipe)
    todo = [(choice, seed) for seed in seeds for choice in as_choices(schemes)]
    runs = {(run.scheme, run.seed): run for block in trainer.train(todo) for run in block}
    return trainer, todo, runs


@pytest.mark.parametrize("name", CASES)
def test_curves_equal_those_of_fit(name):
    trainer, todo, runs = trained(name)
    assert trainer.notes == []
    assert len(trainer._by_architecture(todo)) == 1  # one program trained both schemes
    assert len(runs) == len(todo)
    loop = LoopTrainer(
        lambda choice: trainer._build(choice, draw=True), trainer._starts, trainer.data, trainer.recipe, {}
    )
    for choice, seed in (todo[0], todo[-1]):  # another scheme and another seed; each fit compiles anew
        expected = loop.fit(choice, seed)
        curves = runs[choice.key, seed].curves
        assert sorted(curves) == sorted(expected)
        for metric, values in expected.items():
            # A batch of runs sums in another order; counted metrics may move by one example.
            atol = 0 if "loss" in metric else 1.01 / len(trainer.data.y_train)
            np.testing.assert_allclose(
                curves[metric], values, rtol=1e-4, atol=atol, err_msg=f"{choice.label} {metric}"
            )


def test_the_study_equals_a_plain_keras_script():
    """No code of fanin's but the initial weights and the order: `fit(shuffle=False)`, epoch by epoch."""
    trainer, _todo, runs = trained("mlp", schemes=("he_normal",), seeds=(5,))
    make, data, recipe = CASES["mlp"]
    model = make("he_normal")
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.set_weights(trainer._starts["he_normal"].values(5))
    losses = []
    for order in data_order(5, len(data.x_train), recipe.epochs):
        history = model.fit(data.x_train[order], data.y_train[order], batch_size=32, shuffle=False, verbose=0)
        losses += history.history["loss"]
    np.testing.assert_allclose(runs["he_normal", 5].curves["loss"], losses, rtol=1e-4)
    final = model.evaluate(data.x_test, data.y_test, verbose=0, return_dict=True)
    assert runs["he_normal", 5].curves["val_loss"][-1] == pytest.approx(final["loss"], rel=1e-4)


def test_a_run_does_not_depend_on_which_others_are_trained_with_it():
    _, _, alone = trained("mlp", schemes=("he_normal",), seeds=(3,))
    _, _, together = trained("mlp", schemes=("zeros", "he_normal", "orthogonal"), seeds=(0, 1, 2, 3, 4))
    np.testing.assert_allclose(
        alone["he_normal", 3].curves["loss"], together["he_normal", 3].curves["loss"], rtol=1e-5
    )
