"""Means and sums, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, predicted

LAW = InputLaw(mean=0.2, second_moment=1.0, position=0.3, example=0.2)
N = 256


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("function", ["mean", "sum"])
def test_over_positions(function, keep):
    m = Maker()
    x = m.input(4, 6, N)
    before = m.apply("relu", m.linear(x, N))
    y = m.reduce(before, function, (1,), keep=keep)
    after = m.linear(y, N)
    agree(m.graph(after), [before, y, after], {x: LAW})


@pytest.mark.parametrize("positions", [2, 24])
def test_lengths_over_positions(positions):
    """As ConvNeXt v2 compares channels: the root of a sum of squares, over the mean of all."""
    m = Maker()
    x = m.input(4, positions, N)
    before = m.linear(x, N)
    length = m.apply("sqrt", m.reduce(m.apply("square", before), "sum", (1,), keep=True))
    level = m.apply("add", m.reduce(length, "mean", (2,), keep=True), 1e-6)
    relative = m.apply("divide", length, level)
    after = m.linear(relative, N)
    law = InputLaw(position=0.2)
    agree(m.graph(after), [before, relative, after], {x: law})


@pytest.mark.parametrize("function", ["sum", "mean", "max", "min"])
@pytest.mark.parametrize("axis", [2, 3])
def test_branches(function, axis):
    """As selective kernels join theirs, or a maxout layer: over two or three of the axes of channels."""
    m = Maker()
    x = m.input(4, 6, N)
    before = m.linear(x, 192)
    apart = m.reshape(m.apply("silu", before), 4, 6, *((3, 64) if axis == 2 else (64, 3)))
    y = m.reduce(apart, function, (axis,))
    after = m.linear(m.apply("tanh", y), N)
    agree(m.graph(after), [before, y, after], {x: LAW})


def test_global_mean_of_an_image():
    m = Maker()
    x = m.input(3, 96, 6, 6)
    before = m.apply("relu", m.convolution(x, 96, (3, 3), padding=1))
    y = m.reduce(before, "mean", (2, 3))
    after = m.linear(y, 96)
    agree(m.graph(after), [before, y, after], {x: LAW})


@pytest.mark.parametrize(("function", "value"), [("mean", 0.5), ("sum", 0.5 * N), ("variance", 2.0)])
def test_over_channels(function, value):
    m = Maker()
    x = m.input(4, 6, N)
    y = m.reduce(x, function, (2,), keep=True)
    found = run(m.graph(y), {x: InputLaw(mean=0.5, second_moment=2.25)})
    assert predicted(found, y)["mean"] == pytest.approx(value, rel=1e-3)


def test_squeeze_and_excitation():
    def squeezed(m, x):
        level = m.reduce(x, "mean", (2, 3), keep=True)
        low = m.apply("relu", m.convolution(level, 128, (1, 1)))
        return m.apply("multiply", x, m.apply("sigmoid", m.convolution(low, 384, (1, 1), bias=0.1)))

    m = Maker()
    x = m.input(3, 384, 4, 4)
    before = m.apply("silu", m.convolution(x, 384, (1, 1)))
    y = squeezed(m, before)
    after = m.convolution(y, 384, (1, 1))
    agree(m.graph(after), [before, y, after], {x: LAW})


@pytest.mark.parametrize(
    ("function", "axes"), [("max", (2,)), ("mean", (0,)), ("min", (2,)), ("variance", (1,))]
)
def test_what_nobody_knows(function, axes):
    m = Maker()
    x = m.input(4, 6, N)
    y = m.reduce(x, function, axes)
    value = run(m.graph(y), {}).values[y]
    assert isinstance(value, Unknown)
    assert function in value.reason


def test_mean_of_weights():
    m = Maker()
    y = m.reduce(m.weight(N, N, mean=0.5, variance=1.0), "mean", (1,), keep=True)
    law = run(m.graph(y), {}).values[y].law
    assert law.mean == 0.5


@pytest.mark.parametrize("function", ["sum", "mean"])
@pytest.mark.parametrize("shape", [(4, N), (3, 4, N)], ids=["examples", "positions"])
def test_products_of_two_vectors(shape, function):
    """As a recommender scores a user and an item."""
    m = Maker()
    x = m.input(*shape)
    one, other = m.linear(x, N), m.linear(x, N)
    y = m.reduce(m.apply("multiply", one, other), function, (len(shape) - 1,))
    agree(m.graph(y), [one, other, y], {x: LAW}, tolerance=0.05)  # one channel: it takes many networks


def test_distances():
    """As a Siamese network compares two examples: the squares of all channels, a number."""
    m = Maker()
    x = m.input(4, N)
    before = m.linear(x, N)
    y = m.reduce(m.apply("square", before), "mean", (1,))
    agree(m.graph(y), [before, y], {x: LAW}, tolerance=0.03)  # one channel: it takes many networks
