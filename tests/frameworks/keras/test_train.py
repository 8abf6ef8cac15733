import jax
import keras
import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.experiments.choices import as_choices
from fanin.frameworks.keras.mlp import mlp
from fanin.frameworks.keras.train import KerasTrainer
from fanin.frameworks.training import Data, Factory, Recipe

layers = keras.layers
X = np.random.default_rng(0).normal(size=(40, 5)).astype("float32")
DATA = Data(X, (X[:, 0] > 0).astype("int32"), X[:9], (X[:9, 0] > 0).astype("int32"))
RECIPE = Recipe(2, 16, "adam", "binary_crossentropy", ("accuracy",))


def run(make, *, schemes=("he_normal",), seeds=(0, 1), recipe=RECIPE, data=DATA):
    trainer = KerasTrainer(Factory(make, True, "model"), data, recipe)
    todo = [(choice, seed) for seed in seeds for choice in as_choices(schemes)]
    return trainer, [r for block in trainer.train(todo) for r in block]


def head(x):
    return layers.Dense(1, activation="sigmoid")(x)


def test_schemes_that_change_the_architecture_are_trained_apart():
    def deeper_for_zeros(initializer):
        inputs = keras.Input((5,))
        x = layers.Dense(4, kernel_initializer=initializer)(inputs)
        x = layers.Dense(4, activation="tanh")(x) if initializer == "zeros" else x
        return keras.Model(inputs, head(x))

    trainer, runs = run(deeper_for_zeros, schemes=("zeros", "he_normal"))
    assert trainer.notes == []
    assert {(r.scheme, r.seed) for r in runs} == {(s, n) for s in ("zeros", "he_normal") for n in (0, 1)}


def test_a_model_with_its_own_train_step_is_looped_and_says_so():
    class Own(keras.Model):
        def train_step(self, state, data):
            return super().train_step(state, data)

    def make(initializer):
        inputs = keras.Input((5,))
        return Own(inputs, head(inputs))

    trainer, runs = run(make)
    assert len(runs) == 2
    assert "one run after the other" in trainer.notes[0]
    assert "Own has its own train_step" in trainer.notes[0]


def test_what_cannot_be_vectorized_is_looped_and_says_so():
    class Callback(layers.Layer):
        """JAX runs a callback in `fit`, but was not told how to run it on many runs at once."""

        def call(self, x):
            seen = jax.pure_callback(
                lambda v: np.zeros((), "float32"), jax.ShapeDtypeStruct((), "float32"), 0.0 * x[0, 0]
            )
            return x + jax.lax.stop_gradient(seen)

    def make(initializer):
        inputs = keras.Input((5,), batch_size=None)
        return keras.Model(inputs, head(Callback()(inputs)))

    trainer, runs = run(make)
    assert "JAX cannot trace it" in trainer.notes[0]
    assert np.isfinite(runs[0].curves["loss"]).all()


def test_a_model_that_is_compiled_to_run_eagerly_is_looped():
    def make(initializer):
        model = mlp(5, 1, "sigmoid")(initializer)
        model.compile("sgd", "mse", run_eagerly=True)
        return model

    trainer, runs = run(make, recipe=Recipe(1, 40), seeds=(0,))
    assert "run_eagerly" in trainer.notes[0]
    assert len(runs) == 1


def test_a_model_that_the_builder_compiled_keeps_its_own_loss_and_optimizer():
    def make(initializer):
        model = mlp(5, 1, "sigmoid")(initializer)
        model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mae"])
        return model

    _, runs = run(make, recipe=Recipe(2, 16))
    assert sorted(runs[0].curves) == ["loss", "mae", "val_loss", "val_mae"]
    assert runs[0].curves["val_loss"][0] == runs[0].curves["val_loss"][1]  # a learning rate of 0


def test_inputs_may_be_dicts_and_outputs_several():
    def make(initializer):
        a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
        x = layers.Concatenate()([a, b])
        return keras.Model({"a": a, "b": b}, {"p": head(x), "q": layers.Dense(1, name="q")(x)})

    y = {"p": DATA.y_train, "q": X[:, :1]}
    data = Data({"a": X[:, :3], "b": X[:, 3:]}, y)
    recipe = Recipe(2, 16, "adam", {"p": "binary_crossentropy", "q": "mse"})
    trainer, runs = run(make, recipe=recipe, data=data)
    assert trainer.notes == []
    assert np.isfinite(runs[0].curves["loss"]).all()


def test_diverged_runs_come_back_as_they_are():
    _, runs = run(mlp(5, 1, None), recipe=Recipe(5, 16, keras.optimizers.SGD(1e9), "mse"))
    assert not np.isfinite(runs[0].curves["loss"][-1])
    assert len(runs) == 2


def test_more_runs_than_a_block_all_come_back_once():
    _, runs = run(mlp(5, 1, "sigmoid"), schemes=("zeros", "he_normal", "orthogonal"), seeds=range(17))
    assert len({(r.scheme, r.seed) for r in runs}) == len(runs) == 51
    assert all(r.seconds > 0 and r.versions["keras"] == keras.__version__ for r in runs)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda i: None, "returned nothing, not a Keras model"),
        (lambda i: 1 / 0, "ZeroDivisionError"),
        (lambda i: keras.Sequential([keras.Input((7,)), layers.Dense(1)]), "takes examples of shape"),
        (lambda i: keras.Sequential([layers.Dense(1), layers.Conv2D(1, 1)]), "does not accept the data"),
    ],
)
def test_faulty_builders_are_said_in_one_message(make, words):
    with pytest.raises(FaninError, match=words):
        run(make)


def test_a_builder_that_fails_shows_its_line():
    def create_model(initializer):
        return undefined_name  # noqa: F821

    with pytest.raises(FaninError) as error:
        run(create_model)
    assert "test_train.py" in str(error.value)
    assert "return undefined_name" in str(error.value)


@pytest.mark.parametrize(
    "recipe", [Recipe(1, 8), Recipe(1, 8, "adan", "mse"), Recipe(1, 8, "adam", "no_such_loss")]
)
def test_unknown_losses_and_optimizers_are_refused(recipe):
    with pytest.raises(FaninError):
        run(mlp(5, 1, "sigmoid"), recipe=recipe)
