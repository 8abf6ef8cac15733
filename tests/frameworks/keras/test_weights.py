import keras
import numpy as np
import pytest

import fanin
from fanin.errors import FaninError
from fanin.experiments.choices import as_choices
from fanin.frameworks.keras.mlp import mlp
from fanin.frameworks.keras.train import KerasTrainer
from fanin.frameworks.training import Data, Factory, Recipe

layers = keras.layers
X = np.random.default_rng(0).normal(size=(40, 5)).astype("float32")
DATA = Data(X, (X[:, 0] > 0).astype("int32"))
RECIPE = Recipe(1, 20, "sgd", "binary_crossentropy")


def prepared(make, *, schemes=("he_normal",), takes_initializer=True):
    trainer = KerasTrainer(Factory(make, takes_initializer, "model"), DATA, RECIPE)
    choices = as_choices(schemes)
    for choice in choices:
        trainer._prepare(choice)
    return trainer, [trainer._starts[choice.key] for choice in choices]


def network(*middle, initializer="glorot_uniform"):
    return keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(6, kernel_initializer=initializer),
            *middle,
            layers.Dense(6, kernel_initializer=initializer),
            layers.Dense(6, kernel_initializer=initializer),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def test_weights_are_a_function_of_the_seed():
    _, (start,) = prepared(mlp(5, 1, "sigmoid"))
    for one, again, other in zip(start.values(3), start.values(3), start.values(4), strict=True):
        np.testing.assert_array_equal(one, again)
        assert not one.any() or not np.array_equal(one, other)


def test_models_built_later_in_the_process_get_the_same_weights():
    _, (first,) = prepared(mlp(5, 1, "sigmoid"))
    _, (second,) = prepared(mlp(5, 1, "sigmoid"))
    np.testing.assert_array_equal(first.values(0)[0], second.values(0)[0])


def test_schemes_share_their_draws():
    """Paired as far as can be: two scalings of one distribution are multiples of each other."""
    _, (he, lecun) = prepared(mlp(5, 1, "sigmoid"), schemes=("he_normal", "lecun_normal"))
    np.testing.assert_allclose(he.values(1)[0], lecun.values(1)[0] * np.sqrt(2), rtol=1e-5)


@pytest.mark.parametrize("as_object", [False, True])
def test_one_seeded_initializer_for_several_layers_is_reported_and_not_reproduced(as_object):
    shared = keras.initializers.HeNormal(seed=1)
    # Two objects with one seed draw the same as well.
    trainer, (start,) = prepared(
        lambda initializer: network(initializer=shared if as_object else keras.initializers.HeNormal(seed=1))
    )
    (note,) = trainer.notes
    assert "dense_1/kernel, sequential/dense_2/kernel" in note.replace("sequential/dense_1", "dense_1")
    kernels = [w for w in start.values(0) if w.shape == (6, 6)]
    assert not np.array_equal(kernels[0], kernels[1])
    built = trainer._built["he_normal"]
    truly = keras.initializers.HeNormal(seed=1)
    np.testing.assert_array_equal(truly((6, 6)), truly((6, 6)))  # Keras' behaviour, which the note is about
    assert built.overwritten == []


def test_initializers_of_the_users_are_called_under_each_seed():
    def numpy_noise(shape, dtype=None):
        return np.random.normal(size=shape).astype(dtype)  # noqa: NPY002

    def keras_noise(shape, dtype=None):
        return keras.random.uniform(shape, dtype=dtype)

    @keras.saving.register_keras_serializable(package="test")
    class Own(keras.initializers.Initializer):
        def __init__(self, seed=None):
            self.seed = seed

        def __call__(self, shape, dtype=None):
            return keras.random.normal(shape, dtype=dtype, seed=self.seed)

        def get_config(self):
            return {"seed": self.seed}

    for initializer in (numpy_noise, keras_noise, Own(seed=7)):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        _, (start,) = prepared(lambda _, i=initializer: network(initializer=i))
        one, again, other = (start.values(seed)[0] for seed in (0, 0, 1))
        np.testing.assert_array_equal(one, again)
        assert not np.array_equal(one, other)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_builder_that_sets_weights_is_called_for_every_seed():
    def halved(initializer):
        model = network(initializer=initializer)
        model.layers[0].kernel.assign(model.layers[0].kernel * 0.5)
        model.layers[1].set_weights([np.eye(6), np.ones(6)])
        return model

    trainer, (start,) = prepared(halved)
    assert "called again for every seed" in trainer.notes[0]
    one, again, other = start.values(0), start.values(0), start.values(1)
    np.testing.assert_array_equal(one[0], again[0])
    assert not np.array_equal(one[0], other[0])
    assert np.std(one[0]) == pytest.approx(0.5 * np.sqrt(2 / 5), rel=0.5)
    np.testing.assert_array_equal(one[2], np.eye(6))
    np.testing.assert_array_equal(other[3], np.ones(6))


def test_a_builder_that_takes_nothing_is_initialized_by_the_scheme():
    def plain():
        return network(layers.BatchNormalization(), layers.Dropout(0.1))

    trainer, (he, zeros) = prepared(plain, schemes=("he_normal", "zeros"), takes_initializer=False)
    values = dict(
        zip((v.path for v in trainer._built["he_normal"].model.variables), he.values(0), strict=True)
    )
    kernels = [value for path, value in values.items() if path.endswith("kernel")]
    assert len(kernels) == 4
    assert all(kernel.std() > 0 for kernel in kernels)
    assert np.std(kernels[1]) == pytest.approx(np.sqrt(2 / 6), rel=0.4)
    gammas = [value for path, value in values.items() if path.endswith("gamma")]
    np.testing.assert_array_equal(gammas[0], np.ones(6))
    assert not any(w.any() for w in zeros.values(0) if w.shape == (6, 6))


def test_random_states_depend_on_the_seed_and_not_on_the_scheme():
    def noisy(initializer):
        return network(layers.Dropout(0.5, seed=3), initializer=initializer)

    trainer, (he, zeros) = prepared(noisy, schemes=("he_normal", "zeros"))
    index = [v.name for v in trainer._built["he_normal"].model.variables].index("seed_generator_state")
    np.testing.assert_array_equal(he.values(2)[index], zeros.values(2)[index])
    assert not np.array_equal(he.values(2)[index], he.values(3)[index])


def test_a_scheme_that_is_passed_goes_by_the_layer_that_gets_it():
    def make(initializer):
        names = ("kernel_initializer", "recurrent_initializer", "bias_initializer")
        layer = layers.LSTM(3, unit_forget_bias=False, **dict.fromkeys(names, initializer))
        return keras.Sequential([keras.Input((5, 1)), layer, layers.Dense(1)])

    _, (start,) = prepared(make, schemes=("torch_default",))
    theirs = fanin.initialize(make("ones"), "torch_default", seed=2)
    for mine, expected in zip(start.values(2)[:3], theirs.variables[:3], strict=True):
        np.testing.assert_array_equal(mine, np.asarray(expected))


def test_a_scheme_of_which_the_builder_leaves_out_a_part_is_refused():
    def make(initializer):
        return keras.Sequential(
            [keras.Input((5, 1)), layers.LSTM(3, kernel_initializer=initializer), layers.Dense(1)]
        )

    with pytest.raises(FaninError, match="does not give it to sequential/lstm/lstm_cell/recurrent_kernel"):
        prepared(make, schemes=("torch_default",))
    prepared(mlp(5, 1, "sigmoid"), schemes=("torch_default", "flax_default", "irnn"))
