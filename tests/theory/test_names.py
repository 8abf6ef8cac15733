import numpy as np
import pytest

from fanin import FaninError
from fanin.theory.catalogue import ALIASES, CATALOGUE
from fanin.theory.moments import moments
from fanin.theory.names import named
from fanin.theory.panels import resolve


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gelu", "gelu"),
        ("GELU", "gelu"),
        ("swish", "silu"),
        ("hardswish", "hard_swish"),
        ("HardSwish", "hard_swish"),
        ("hard_silu", "hard_swish"),
        ("leaky_relu", "leaky_relu"),
        ("leaky_relu(0.2)", "leaky_relu(0.2)"),
        ("LeakyReLU( negative_slope = .2 )", "leaky_relu(0.2)"),
        ("leaky_relu_0.2", "leaky_relu(0.2)"),
        ("leaky_relu(0.01)", "leaky_relu"),
        ("elu_1", "elu"),
        ("relu6", "relu6"),
        ("relu2", "squared_relu"),
        ("hardtanh(-2, 2)", "hard_tanh(-2, 2)"),
        ("hardtanh(max_val=2)", "hard_tanh(-1, 2)"),
        ("gelu_pytorch_tanh", "gelu_tanh"),
        ("linear", "identity"),
    ],
)
def test_spellings(text, name):
    assert named(text).name == name


@pytest.mark.parametrize("name", CATALOGUE)
def test_closed_forms_are_the_slopes_of_their_functions(name):
    activation = named(name)
    with np.errstate(all="ignore"):
        panels = resolve(activation)
    x = panels.nodes
    inner = np.abs(x) < 8
    told = activation.derivative(x)[inner]
    assert np.max(np.abs(told - panels.slopes[inner]) / np.maximum(1, np.abs(told))) < 1e-9
    with np.errstate(all="ignore"):
        assert all("gradient" not in note for note in moments(activation, panels).notes)


def test_aliases_point_somewhere():
    assert set(ALIASES.values()) <= CATALOGUE.keys()
    assert not ALIASES.keys() & CATALOGUE.keys()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gelo", "perhaps gelu"),
        ("leaky_rleu", "leaky_relu"),
        ("", "There is no activation ''"),
        ("relu(0.2)", "no arguments"),
        ("leaky_relu(a)", "negative_slope=0.01"),
        ("leaky_relu(alpha=0.2)", "negative_slope=0.01"),
        ("leaky_relu(0.1, 0.2)", "does not take 0.1,  0.2"),
        ("leaky_relu(inf)", "does not take inf"),
        ("leaky_relu(0.2", "There is no activation"),
        ("swiglu", "halves the width"),
        ("GLU", "halves the width"),
        ("softmax", "mixes its elements"),
    ],
)
def test_bad_names(text, said):
    with pytest.raises(FaninError) as raised:
        named(text)
    assert said in str(raised.value)
