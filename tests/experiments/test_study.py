import functools
import json

import keras
import numpy as np

from fanin.experiments.study import Study, describe
from fanin.frameworks.training import Choice, Data, Factory, Recipe, Run


def build(initializer, units=1):
    return initializer, units


def study(call=build, *, takes=True, name="create", data=None, recipe=None, backend="jax", keys=("a",)):
    data = data or Data(np.zeros((4, 2), "float32"), np.zeros(4), name="mine")
    choices = tuple(Choice(f"label {key}", None, key) for key in keys)
    return Study(Factory(call, takes, name), choices, (0, 1), data, recipe or Recipe(2, 2), backend)


def test_names_of_files_do_not_count():
    renamed = study(name="elsewhere.py:create", data=Data(np.zeros((4, 2), "float32"), np.zeros(4), name="x"))
    assert renamed.id == study().id
    assert renamed.record != study().record  # the first to register is shown


def test_what_is_trained_counts():
    adam, slow = keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.02)
    others = [
        study(functools.partial(build, units=2)),
        study(functools.partial(build, units=3)),
        study(takes=False),
        study(backend="torch"),
        study(recipe=Recipe(2, 2, adam)),
        study(recipe=Recipe(2, 2, slow)),
        study(recipe=Recipe(2, 2, loss=keras.losses.Huber(1.0))),
        study(recipe=Recipe(2, 2, loss=keras.losses.Huber(2.0))),
        study(recipe=Recipe(2, 2, loss=lambda y, p: y - p)),
        study(recipe=Recipe(2, 2, loss=lambda y, p: y + p)),
        study(recipe=Recipe(2, 2, metrics=("mae",))),
        study(recipe=Recipe(2, 2, class_weight={0: 1.0, 1: 2.0})),
    ]
    assert len({study().id, *(other.id for other in others)}) == len(others) + 1


def test_runs_of_other_random_streams_are_another_study(monkeypatch):
    before = study().id
    monkeypatch.setattr("fanin.experiments.study._DRAWS", 99)
    assert study().id != before


def test_the_record_is_plain_json_and_survives_it():
    recipe = Recipe(2, 2, keras.optimizers.SGD(0.1), {"p": "mse"}, (keras.metrics.AUC(),), {0: 2.0})
    record = study(recipe=recipe).record
    assert json.loads(json.dumps(record)) == record
    assert record["optimizer"]["class"] == "SGD"


def test_objects_are_described_by_class_configuration_and_code():
    assert describe(keras.optimizers.SGD(0.1)) == describe(keras.optimizers.SGD(0.1))
    assert describe(keras.optimizers.SGD(0.1)) != describe(keras.optimizers.SGD(0.2))
    assert describe([None, "adam", {"a": 1}]) == [None, "adam", {"a": 1}]


def test_runs_get_the_labels_of_their_keys():
    runs = study(keys=("a", "b")).labelled([Run("b", 0, {}), Run("a", 1, {})])
    assert [(run.scheme, run.seed) for run in runs] == [("label b", 0), ("label a", 1)]


def test_what_it_says_of_itself_names_schemes_and_seeds():
    said = study(keys=("a", "b")).to_dict()
    assert (said["schemes"], said["seeds"], said["id"]) == (["label a", "label b"], [0, 1], study().id)
