import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fanin.errors import FaninError
from fanin.frameworks.keras.initializers import SchemeInitializer, keras_initializer
from fanin.frameworks.keras.known import known_distribution
from fanin.graph.parameter import Parameter
from fanin.schemes.catalogue import ALIASES, CATALOGUE
from fanin.schemes.distributions import Normal
from fanin.schemes.draw import draw
from fanin.schemes.parse import get_scheme
from fanin.schemes.scheme import Scheme

KERNEL = Parameter("dense/kernel", (200, 300), "kernel", ("in", "out"))
BIAS = Parameter("dense/bias", (300,), "bias", kernel=KERNEL)

# Second moments from the papers' formulas, for fan_in 200 and fan_out 300.
SECOND_MOMENTS = {
    "zeros": 0,
    "ones": 1,
    "constant(value=0.5)": 0.25,
    "normal": 0.05**2,
    "normal(stddev=0.02)": 0.02**2,
    "normal(mean=0.1)": 0.05**2 + 0.1**2,
    "uniform": 0.1**2 / 12,
    "uniform(minval=0)": 0.05**2 / 3,
    "truncated_normal": (0.05 * 0.87962566103423978) ** 2,
    "glorot_normal": 2 / 500,
    "glorot_uniform": 2 / 500,
    "he_normal": 2 / 200,
    "he_uniform": 2 / 200,
    "lecun_normal": 1 / 200,
    "lecun_uniform": 1 / 200,
    "orthogonal": 1 / 300,
    "orthogonal(gain=2)": 4 / 300,
    "identity": 1 / 300,
    "torch_default": 1 / (3 * 200),
}


@pytest.mark.parametrize("label", SECOND_MOMENTS)
def test_second_moments_are_those_of_the_formula(label):
    values = draw(get_scheme(label).decide(KERNEL).distribution, KERNEL, 0).astype(float)
    assert (values**2).mean() == pytest.approx(SECOND_MOMENTS[label], rel=0.02)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_scheme_says_what_it_is(name):
    entry = CATALOGUE[name]
    assert all((entry.summary, entry.formula, entry.source, entry(*()).label == name))


def test_torch_default_is_what_torch_draws():
    import torch

    layer = torch.nn.Linear(200, 300)
    scheme = get_scheme("torch_default")
    for parameter, theirs in ((KERNEL, layer.weight), (BIAS, layer.bias)):
        drawn = scheme.decide(parameter).distribution
        mine = draw(drawn, parameter, 1).ravel()
        assert stats.ks_2samp(mine, theirs.detach().numpy().ravel()).pvalue > 1e-3
        assert np.abs(mine).max() <= 1 / math.sqrt(200)


KERAS_NAMES = [
    name
    for name in [*CATALOGUE, *ALIASES]
    if name in dir(keras.initializers) or name in ("normal", "uniform")
]


@pytest.mark.parametrize("name", KERAS_NAMES)
def test_names_that_keras_has_mean_what_they_mean_in_keras(name):
    # By its class: Keras cannot make a constant from the bare name.
    theirs = keras.initializers.Constant() if name.lower() == "constant" else keras.initializers.get(name)
    assert get_scheme(name).decide(KERNEL).distribution == known_distribution(theirs, KERNEL.shape)


def test_keras_names_are_many():
    assert len(KERAS_NAMES) >= 20


@given(st.floats(0, 10, allow_nan=False), st.floats(-1, 1))
def test_labels_name_the_same_scheme_again(stddev, mean):
    scheme = get_scheme(f"normal(stddev={stddev!r}, mean={mean!r})")
    again = get_scheme(scheme.label)
    assert again.label == scheme.label
    assert again.decide(KERNEL).distribution == scheme.decide(KERNEL).distribution == Normal(mean, stddev)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("normal(0.05)", "normal(mean=0.05)"),
        (" he_normal ", "he_normal"),
        ("HeNormal", "he_normal"),
        ("normal(stddev=.05)", "normal"),
    ],
)
def test_labels_are_canonical(text, label):
    assert get_scheme(text).label == label


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("he_norml", "he_normal"),
        ("normal(sd=1)", "stddev"),
        ("normal(1, 2, 3)", "does not take"),
        ("zeros(1)", "no arguments"),
        ("normal(stddev='a')", "not a number"),
        ("normal(stddev=True)", "not a number"),
        ("normal(stddev=", "cannot be read"),
        ("__import__('os').system('true')", "cannot be read"),
        ("normal(stddev=open('x'))", "cannot be read"),
        ("", "cannot be read"),
    ],
)
def test_bad_schemes_get_one_message(text, words):
    with pytest.raises(FaninError) as error:
        get_scheme(text)
    assert words in str(error.value)


def test_a_scheme_of_the_users_is_a_few_lines():
    mine = Scheme("half", lambda parameter: Normal(0.0, 0.5 / math.sqrt(parameter.shape[0])))
    values = keras_initializer(mine)((400, 300))
    assert np.std(values) == pytest.approx(0.5 / 20, rel=0.02)


@pytest.mark.parametrize("label", ["torch_default", "he_normal", "identity", "zeros", "normal(stddev=0.3)"])
def test_a_scheme_is_a_keras_initializer_that_can_be_saved(label):
    initializer = SchemeInitializer(label, seed=4)
    again = keras.initializers.deserialize(keras.initializers.serialize(initializer))
    np.testing.assert_array_equal(initializer((6, 5)), again((6, 5)))
    layer = keras.layers.Dense(3, kernel_initializer=initializer)
    layer.build((None, 4))
    assert layer.kernel.shape == (4, 3)


def test_an_unseeded_scheme_draws_anew():
    initializer = keras_initializer(get_scheme("torch_default"))
    assert not np.array_equal(initializer((6, 5)), initializer((6, 5)))
