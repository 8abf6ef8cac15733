"""`fanin.compare` as a function: what a notebook or a script calls."""

import inspect

import keras
import numpy as np
import pytest

import fanin

X = np.random.default_rng(0).normal(size=(24, 3))
DATA = (X, (X[:, 0] > 0).astype(int), X[:8], (X[:8, 0] > 0).astype(int))


def create_model(initializer):
    hidden = keras.layers.Dense(4, activation="relu", kernel_initializer=initializer)
    head = keras.layers.Dense(1, activation="sigmoid", kernel_initializer=initializer)
    return keras.Sequential([keras.Input((3,)), hidden, head])


def compare(builder=create_model, schemes=("zeros", "he_normal"), **options):
    options = {
        "data": DATA,
        "epochs": 2,
        "batch_size": 8,
        "seeds": 3,
        "loss": "binary_crossentropy",
    } | options
    return fanin.compare(builder, schemes, **options)


def curves(result):
    return {(run["scheme"], run["seed"]): run["curves"] for run in result.record["runs"]}


def test_the_same_call_gives_the_same_bits():
    one, two = compare(), compare()
    assert curves(one) == curves(two)
    assert one.verdict == two.verdict


def test_a_run_depends_on_its_seed_and_scheme_alone():
    small = curves(compare(schemes=["he_normal"], seeds=[2]))
    large = curves(compare(schemes=["zeros", "he_normal", "ones"], seeds=[5, 2, 0]))
    assert large["he_normal", 2] == small["he_normal", 2]


def test_runs_begin_at_the_weights_of_initialize():
    def plain():
        return create_model("zeros")

    policy = fanin.Policy({"head": "orthogonal"}, default="auto")
    schemes = {"he": "he_normal", "auto": "auto", "policy": policy}
    still = curves(compare(plain, schemes, optimizer=keras.optimizers.SGD(0.0), seeds=[3, 8], epochs=1))
    for (label, seed), found in still.items():
        model = fanin.initialize(plain(), schemes[label], seed=seed)
        model.compile(loss="binary_crossentropy")
        assert found["val_loss"][0] == pytest.approx(model.evaluate(*DATA[2:], verbose=0), rel=1e-5)


def test_a_builder_that_takes_the_initializer_is_told_what_it_cannot_be_given():
    with pytest.raises(fanin.FaninError, match="create_model could be given"):
        compare(schemes=["zeros", "auto"])


def test_the_users_global_random_state_and_arrays_are_left_alone():
    before = [array.copy() for array in DATA]
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    compare(seeds=1)
    assert np.random.random() == expected  # noqa: NPY002
    for array, old in zip(DATA, before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_objects_of_keras_are_used_as_they_are_and_stay_fresh():
    optimizer, metric = keras.optimizers.SGD(0.0), keras.metrics.BinaryAccuracy(name="hits")
    still = compare(optimizer=optimizer, metrics=[metric], schemes=["he_normal"])
    for found in curves(still).values():
        assert found["val_loss"][0] == found["val_loss"][1]
        assert "val_hits" in found
    assert not optimizer.built


def test_a_loss_that_keras_cannot_copy_is_trained_as_it_is():
    wide, narrow = (
        curves(compare(loss=keras.losses.Huber(delta), schemes=["he_normal"])) for delta in (5.0, 0.01)
    )
    key = ("he_normal", 0)
    assert wide[key]["loss"][0] > 10 * narrow[key]["loss"][0]


class Scaled(keras.initializers.Initializer):
    """As users write them: without get_config."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def __call__(self, shape, dtype=None):
        return self.scale * keras.random.normal(shape, dtype=dtype or "float32")


def test_an_initializer_of_the_users_keeps_its_arguments():
    def small_weights(initializer):
        model = create_model(initializer)
        found.append(getattr(initializer, "scale", None))
        return model

    found = []
    compare(small_weights, {"small": Scaled(0.001), "large": Scaled(3.0)}, seeds=1)
    assert set(found) == {0.001, 3.0}


def test_a_store_answers_again_without_training(tmp_path):
    first = compare(store=tmp_path / "runs.db", optimizer=keras.optimizers.SGD(0.1))
    again = compare(store=str(tmp_path / "runs.db"), optimizer=keras.optimizers.SGD(0.1))
    assert (first.record["speed"]["trained"], again.record["speed"]["reused"]) == (6, 6)
    assert curves(first) == curves(again)


def test_progress_is_told_what_is_done_of_what():
    seen = []
    compare(progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, 6)
    assert seen[-1] == (6, 6)
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    "options",
    [
        {"seeds": 0},
        {"seeds": 1.5},
        {"epochs": "10"},
        {"batch_size": 2.0},
        {"batch_size": 25},
        {"schemes": []},
        {"schemes": [keras.initializers.HeNormal]},
        {"builder": create_model("zeros")},
        {"builder": lambda a, b: None},
        {"data": None},
        {"data": iter([])},
        {"optimizer": "adan"},
        {"metrics": ["acuracy"]},
        {"loss": "cross_entropy"},
        {"loss": None},
        {"score": "f1"},
        {"control": "glorot"},
        {"backend": "mxnet"},
        {"backend": "torch"},  # Keras runs on jax here already
        {"store": "absent/runs.db"},
    ],
)
def test_bad_input_is_a_fanin_error(options):
    with pytest.raises(fanin.FaninError):
        compare(**options)


def test_every_argument_is_documented():
    for name in inspect.signature(fanin.compare).parameters:
        assert f"        {name}: " in fanin.compare.__doc__
