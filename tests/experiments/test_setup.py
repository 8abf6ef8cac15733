import functools

import keras
import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.experiments.builders import as_factory, required
from fanin.experiments.setup import as_seeds, as_study
from fanin.experiments.tasks import load_task
from fanin.frameworks.training import Recipe

DATA = (np.ones((8, 3)), np.arange(8) % 2)


def create(initializer, units=1):
    return initializer, units


def study(builder=create, schemes=("zeros", "he_normal"), data=DATA, recipe=None, seeds=2):
    recipe = recipe or Recipe(2, 4, "adam", "mse")
    return as_study(builder, schemes, data=data, recipe=recipe, seeds=seeds, backend="jax")


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        (3, (0, 1, 2)),
        (np.int64(2), (0, 1)),
        ([5, 3], (5, 3)),
        (range(2, 4), (2, 3)),
        (np.array([7, 2**62]), (7, 2**62)),
        ((seed for seed in (1, 2)), (1, 2)),
    ],
)
def test_seeds_are_how_many_or_which(given, seeds):
    found = as_seeds(given)
    assert found == seeds
    assert all(type(seed) is int for seed in found)  # as JSON and SQLite want them


@pytest.mark.parametrize("given", [0, -1, [], [1, 1], [-1], [2**63], 1.5, [1.5], "3", None, 10**9])
def test_other_seeds_are_refused(given):
    with pytest.raises(FaninError):
        as_seeds(given)


@pytest.mark.parametrize("counts", [{"epochs": 0}, {"batch_size": -1}, {"epochs": 1.5}, {"batch_size": "32"}])
def test_counts_are_positive_integers(counts):
    recipe = Recipe(**{"epochs": 2, "batch_size": 4, **counts})
    with pytest.raises(FaninError, match=next(iter(counts))):
        study(recipe=recipe)


def test_counts_of_numpy_become_pythons():
    recipe = study(recipe=Recipe(np.int64(2), np.int32(4), "adam", "mse")).recipe
    assert (type(recipe.epochs), type(recipe.batch_size)) == (int, int)


@pytest.mark.parametrize(
    ("builder", "takes"),
    [
        (create, True),
        (lambda initializer: None, True),
        (lambda kernel: None, True),
        (lambda: None, False),
        (lambda width=3: None, False),
        (lambda init="zeros", width=3: None, True),
        (lambda *, initializer=None: None, False),  # it could not be given by position
        (functools.partial(create, units=2), True),
        (functools.partial(create, "zeros"), False),
        (type("Maker", (), {"__call__": lambda self, initializer: None})(), True),
        (print, False),
    ],
)
def test_a_builder_that_wants_the_initializer_is_given_it(builder, takes):
    assert as_factory(builder, None).takes_initializer == takes


def test_builders_are_called_by_their_names():
    assert as_factory(create, None).name == "create"
    assert as_factory(functools.partial(create, units=2), None).name == "create"
    assert as_factory(f"{__file__}:create", None).name == f"{__file__}:create"


@pytest.mark.parametrize(
    ("builder", "words"),
    [
        (lambda a, b: None, "needs a, b"),
        (lambda a, *, b: None, "needs a, b"),
        (keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]), "Sequential, not a model builder"),
        (3, "int, not a model builder"),
        (None, "no model to train"),
    ],
)
def test_other_builders_are_refused(builder, words):
    with pytest.raises(FaninError, match=words):
        as_factory(builder, None)


def test_a_model_without_input_is_no_builder_either():
    class Own(keras.Model):
        pass

    with pytest.raises(FaninError, match="not a model builder"):
        as_factory(Own(), None)
    assert as_factory(Own, None).name.endswith("Own")  # the class makes new models


def test_required_parameters_are_those_without_default():
    assert [p.name for p in required(lambda a, /, b, c=1, *rest, d, e=2, **more: None)] == ["a", "b", "d"]


def test_data_come_as_arrays_from_a_function_or_by_name():
    for data in (DATA, lambda: DATA, f"{__file__}:DATA"):
        assert study(data=data).data.x_train.shape == (8, 3)
    assert study(data=f"{__file__}:DATA").data.name == f"{__file__}:DATA"
    assert study(data="iris").data.name == "iris"


def test_a_data_function_that_fails_shows_its_line():
    def load():
        return 1 / 0

    with pytest.raises(FaninError) as error:
        study(data=load)
    assert "ZeroDivisionError" in str(error.value)
    assert "return 1 / 0" in str(error.value)
    assert error.value.__cause__ is not None


def test_an_error_of_fanins_own_in_the_users_code_stays_as_it_is():
    def load():
        raise FaninError("Mine.", fix="as I say")

    with pytest.raises(FaninError) as error:
        study(data=load)
    assert str(error.value) == "Mine.\n  fix: as I say"


def test_fanins_network_takes_the_loss_that_fits_the_data():
    found = study(builder=None, data="iris", recipe=Recipe(1, 8))
    assert found.recipe.loss == "sparse_categorical_crossentropy"
    assert found.recipe.metrics == ("accuracy",)
    assert found.factory.name.endswith("4-64-32-3")
    named = study(builder=None, data="iris", recipe=Recipe(1, 8, metrics=("mae",)))
    assert named.recipe.metrics == ("mae",)


def test_for_a_users_model_it_is_only_a_default():
    recipe = study(data="iris", recipe=Recipe(1, 8)).recipe
    assert (recipe.loss, recipe.metrics) == (None, ())
    assert recipe.default_loss == load_task("iris").loss
