"""How schemes reach the models of builders without an argument: as `fanin.initialize` puts them there."""

import keras
import numpy as np
import pytest

import fanin
from fanin.errors import FaninError
from fanin.experiments.choices import as_choices
from fanin.frameworks.keras.build import canonical_paths
from fanin.frameworks.keras.train import KerasTrainer
from fanin.frameworks.keras.weights import first_values
from fanin.frameworks.training import Data, Factory, Recipe
from fanin.graph.parameter import Parameter
from fanin.random.philox import key_of
from fanin.schemes.distributions import Constant, Normal
from fanin.schemes.draw import draw

layers = keras.layers
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 12).astype("int32")


def mlp():
    return keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(6, activation="relu", bias_initializer="ones"),
            layers.Dense(6, kernel_initializer="zeros"),
            layers.Dense(1),
        ]
    )


def cnn():
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.SeparableConv2D(6, 2),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(1),
        ]
    )


def lstm():
    return keras.Sequential(
        [keras.Input((4, 3)), layers.LSTM(5, return_sequences=True), layers.GRU(4), layers.Dense(1)]
    )


def attention():
    inputs = x = keras.Input((4, 8))
    for _ in range(2):
        x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)])
        x = layers.Add()([x, layers.Dense(8)(layers.Dense(16, "gelu")(layers.LayerNormalization()(x)))])
    return keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(x)))


SHAPES = {mlp: (5,), cnn: (8, 8, 2), lstm: (4, 3), attention: (4, 8)}


def prepared(make, schemes, shape=None):
    x = RNG.normal(size=(12, *(shape or SHAPES[make]))).astype("float32")
    trainer = KerasTrainer(
        Factory(make, False, "model"), Data(x, LABELS), Recipe(1, 6, "sgd", "binary_crossentropy")
    )
    choices = as_choices(schemes)
    for choice in choices:
        trainer._prepare(choice)
    return trainer, [trainer._starts[choice.key] for choice in choices]


def assert_equal_but_for_noise(model, values, expected):
    for path, mine, theirs in zip(canonical_paths(model), values, expected, strict=True):
        if not path.endswith("seed_generator_state"):
            np.testing.assert_array_equal(mine, theirs, err_msg=path)


PLAIN = ["orthogonal", "uniform", "truncated_normal", "zeros", "he_normal", "torch_default"]
BY_ROLE = [(attention, "gpt2"), (attention, "deepnorm"), (attention, "auto"), (lstm, "flax_default")]


@pytest.mark.parametrize(
    ("make", "scheme"), [*((make, scheme) for make in (mlp, cnn, lstm) for scheme in PLAIN), *BY_ROLE]
)
def test_runs_start_from_the_weights_of_initialize(make, scheme):
    _, (start,) = prepared(make, [scheme])
    model = fanin.initialize(make(), scheme, seed=3)
    assert_equal_but_for_noise(model, start.values(3), [np.asarray(v) for v in model.variables])


def test_many_runs_at_once_start_as_each():
    trainer, starts = prepared(cnn, ["zeros", "he_normal", "orthogonal", "normal", keras_noise])
    runs = [(start, seed) for seed in (4, 7, 5) for start in starts]
    columns = first_values([start for start, _ in runs], [seed for _, seed in runs])
    model = next(iter(trainer._built.values())).model
    for place, (start, seed) in enumerate(runs):
        assert_equal_but_for_noise(model, [column[place] for column in columns], start.values(seed))


def keras_noise(shape, dtype=None):
    return keras.random.uniform(shape, dtype=dtype)


def test_policies_rules_distributions_and_plans_are_compared():
    def rule(parameter):
        return Normal(0.0, 0.3) if parameter.kind == "kernel" else None

    policy = fanin.Policy({"head": "zeros"}, default="orthogonal")
    plan = fanin.plan(mlp(), "he_normal").replace("sequential/dense/kernel", Constant(0.5))
    schemes = {"policy": policy, "rule": rule, "distribution": Normal(0.0, 0.2), "plan": plan}
    _, starts = prepared(mlp, schemes)
    for scheme, start in zip((policy, rule, Normal(0.0, 0.2)), starts, strict=False):
        model = fanin.initialize(mlp(), scheme, seed=1)
        assert_equal_but_for_noise(model, start.values(1), [np.asarray(v) for v in model.variables])
    model = fanin.apply(plan, mlp(), seed=1)
    assert_equal_but_for_noise(model, starts[-1].values(1), [np.asarray(v) for v in model.variables])


def test_a_plan_for_another_model_is_refused():
    with pytest.raises(FaninError, match="has no such variable"):
        prepared(mlp, [fanin.plan(lstm(), "he_normal")])


def test_what_a_scheme_says_nothing_about_keeps_the_models_own_law():
    def make():
        layer = layers.Embedding(20, 4, embeddings_initializer=keras.initializers.RandomNormal(stddev=3.0))
        return keras.Sequential([keras.Input((5,), dtype="int32"), layer, layers.Flatten(), layers.Dense(1)])

    trainer, starts = prepared(make, ["he_normal", "lecun_normal"], shape=(5,))
    (name,) = [p for p in canonical_paths(trainer._built["he_normal"].model) if "embeddings" in p]
    expected = draw(Normal(0.0, 3.0), Parameter(name, (20, 4)), key_of(2, name))
    for start in starts:
        np.testing.assert_array_equal(start.values(2)[0], expected)


def test_what_the_builder_loaded_stays_whatever_the_scheme():
    def loaded():
        model = mlp()
        model.layers[0].set_weights([np.full((5, 6), 2.0), np.full(6, 3.0)])
        return model

    schemes = ["he_normal", "auto", fanin.Policy({}, default=Normal(0.0, 1.0)), keras.initializers.Ones()]
    _, starts = prepared(loaded, schemes, shape=(5,))
    for start in starts:
        values = start.values(1)
        np.testing.assert_array_equal(values[0], np.full((5, 6), 2.0))
        np.testing.assert_array_equal(values[1], np.full(6, 3.0))
    model = fanin.initialize(mlp(), "he_normal", seed=1)
    np.testing.assert_array_equal(starts[0].values(1)[4], np.asarray(model.variables[4]))


def test_an_initializer_of_keras_reaches_the_kernels_that_are_drawn():
    _, (start,) = prepared(mlp, [keras.initializers.Constant(0.25)])
    values = start.values(0)
    assert (values[0] == 0.25).all()
    assert (values[1] == 1).all()  # the bias that the model asks for
    assert not values[2].any()  # a kernel that the model wants at zero


def test_a_rule_that_reaches_nothing_is_noted():
    trainer, _ = prepared(mlp, ["he_normal", "gpt2"])
    (note,) = trainer.notes
    assert note.startswith("gpt2: ")
    assert "'residual_out' reaches no parameter" in note


def test_learning_rates_that_are_asked_for_are_noted():
    trainer, _ = prepared(mlp, ["mup(width_mult=2)"])
    assert "should have learning rates of their own" in trainer.notes[0]


def test_one_model_serves_all_schemes():
    made = []

    def counted():
        made.append(1)
        return mlp()

    trainer, _ = prepared(counted, ["zeros", "he_normal", "orthogonal"], shape=(5,))
    assert len(made) == 1
    todo = [(choice, 0) for choice in as_choices(["zeros", "he_normal", "orthogonal"])]
    assert len(trainer._by_architecture(todo)) == 1
