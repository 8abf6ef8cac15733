"""Functions of elements: every name of the contract, and derivatives against differences."""

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.theory.catalogue import CATALOGUE
from fanin.theory.propagation.functions import function

POINTS = np.array([-2.3, -1.1, -0.4, 0.3, 0.9, 2.2])
STEP = 1e-6
ONE = (
    "negative", "square", "sqrt", "rsqrt", "reciprocal", "exp", "expm1", "log", "log1p", "abs", "sign", "sin",
    "cos", "tanh", "sigmoid", "erf", "erfc", "floor", "ceil", "round",
)  # fmt: skip
TWO = ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum"]
TOLD = {
    "less": [1, 0, 0],
    "less_equal": [1, 1, 0],
    "greater": [0, 0, 1],
    "greater_equal": [0, 1, 1],
    "equal": [0, 1, 0],
    "not_equal": [1, 0, 1],
}
POSITIVE = ("sqrt", "rsqrt", "log", "log1p", "power", "reciprocal")


def _compare(applied, operands):
    y = applied.value(*operands)
    for place, slope in enumerate(applied.slopes(*operands, y)):
        up, down = (
            applied.value(*[x + step * (at == place) for at, x in enumerate(operands)])
            for step in (STEP, -STEP)
        )
        truth = (up - down) / (2 * STEP)
        assert np.allclose(slope, truth, rtol=1e-4, atol=1e-5), place


@pytest.mark.parametrize("name", ONE)
def test_one_value(name):
    _compare(function(name), [np.abs(POINTS) if name in POSITIVE else POINTS])


@pytest.mark.parametrize("name", TWO)
def test_two_values(name):
    first = np.abs(POINTS) if name == "power" else POINTS
    _compare(function(name), [first, POINTS[::-1].copy() + 0.05])


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_activations(name):
    if name in ("sign", "step"):
        pytest.skip("it jumps")
    _compare(function(name), [POINTS])


@pytest.mark.parametrize("name", TOLD)
def test_comparisons(name):
    applied = function(name)
    found = applied.value(np.array([-1.0, 0.0, 1.0]), np.zeros(3))
    assert found.tolist() == TOLD[name]
    assert applied.slopes(found, found, found) == (0.0, 0.0)


def test_logic():
    yes, no = np.array([2.0]), np.array([0.0])
    assert function("logical_and").value(yes, no) == 0
    assert function("logical_or").value(yes, no) == 1
    assert function("logical_not").value(no) == 1
    assert function("is_finite").value(np.array([np.inf, 1.0])).tolist() == [0.0, 1.0]


def test_choice():
    applied = function("where")
    c, a, b = np.array([0.0, 1.0]), np.array([5.0, 6.0]), np.array([7.0, 8.0])
    y = applied.value(c, a, b)
    assert y.tolist() == [7.0, 6.0]
    _, of_a, of_b = applied.slopes(c, a, b, y)
    assert (of_a.tolist(), of_b.tolist()) == ([0.0, 1.0], [1.0, 0.0])


@pytest.mark.parametrize(("arguments", "wanted"), [((-1.0, 1.0), [-1, 0.5, 1]), ((None, 1.0), [-3, 0.5, 1])])
def test_clip(arguments, wanted):
    applied = function("clip", arguments)
    x = np.array([-3.0, 0.5, 3.0])
    assert applied.value(x).tolist() == wanted
    _compare(applied, [x])


@pytest.mark.parametrize("exponent", [1, 2, 3, -1])
def test_integer_powers(exponent):
    _compare(function("integer_power", (exponent,)), [POINTS])


def test_larger_of_equal_values():
    """Each gets half of the gradient, as the front ends' frameworks have it."""
    x = np.ones(1)
    for name in ("maximum", "minimum"):
        assert [float(slope[0]) for slope in function(name).slopes(x, x, x)] == [0.5, 0.5]


def test_arguments_of_activations():
    assert function("leaky_relu", (0.2,)).value(np.array([-1.0])) == pytest.approx(-0.2)


def test_unknown_names():
    with pytest.raises(FaninError, match="zeta"):
        function("zeta")
