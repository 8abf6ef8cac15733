"""The largest and the smallest of all positions, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree

LAW = InputLaw(position=0.3, example=0.2)
N = 128


@pytest.mark.parametrize(("function", "between"), [("max", "relu"), ("max", "tanh"), ("min", "tanh")])
def test_words_of_a_text(function, between):
    """As a network of convolutions over words takes the largest over time."""
    m = Maker()
    x = m.input(4, 20, N)
    before = m.linear(x, N, bias=0.1)
    y = m.reduce(m.apply(between, before), function, (1,))
    after = m.linear(y, N)
    agree(m.graph(after), [before, y, after], {x: LAW})


def test_an_image_with_borders():
    m = Maker()
    x = m.input(3, 96, 5, 6)
    before = m.convolution(x, 96, (3, 3), padding=1)
    y = m.reduce(m.apply("relu", before), "max", (2, 3), keep=True)
    after = m.convolution(y, 96, (1, 1))
    agree(m.graph(after), [before, y, after], {x: LAW})


def test_the_largest_beside_the_mean():
    """Gradients of both go to the same positions, some of them."""
    m = Maker()
    x = m.input(4, 9, N)
    before = m.linear(x, N)
    y = m.apply("add", m.reduce(before, "max", (1,)), m.reduce(before, "mean", (1,)))
    after = m.linear(m.apply("tanh", y), N)
    agree(m.graph(after), [before, y, after], {x: LAW})


def test_what_is_not_known():
    m = Maker()
    x = m.input(2, 8, 25, 25)
    image = m.convolution(x, 8, (3, 3), padding=1)
    row, every = m.reduce(image, "max", (2,)), m.reduce(image, "max", (2, 3))
    found = run(m.graph(row, every), {}).values
    for name, why in ((row, "some positions"), (every, "so many positions")):
        assert isinstance(found[name], Unknown)
        assert why in found[name].reason
