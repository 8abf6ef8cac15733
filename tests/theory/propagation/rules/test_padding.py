"""Zeros around values, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, predicted

LAW = InputLaw(mean=0.2, second_moment=1.2, position=0.2, example=0.2)
N = 96


@pytest.mark.parametrize("padding", [((1, 1), (1, 1)), ((1, 1), (0, 0)), ((-1, -1), (1, 1))])
def test_images(padding):
    m = Maker()
    x = m.input(3, N, 6, 6)
    before = m.apply("relu", m.convolution(x, N, (1, 1)))
    y = m.pad(before, (0, 0), (0, 0), *padding)
    after = m.convolution(m.apply("add", y, y), N, (3, 3))
    agree(m.graph(after), [before, after], {x: LAW})


@pytest.mark.parametrize("padding", [((1, 1), (1, 1)), ((2, 2), (0, 1)), ((3, 3), (3, 3))])
def test_zeros_that_a_convolution_reads(padding):
    m = Maker()
    x = m.input(3, N, 6, 6)
    before = m.apply("relu", m.convolution(x, N, (1, 1)))
    after = m.convolution(m.pad(before, (0, 0), (0, 0), *padding), N, (3, 3))
    agree(m.graph(after), [before, after], {x: LAW})


def test_zeros_that_a_pool_reads():
    """Of a ReLU no value is less than 0, so that zeros are no larger than any."""
    m = Maker()
    x = m.input(3, N, 7, 7)
    root = m.convolution(x, N, (1, 1))
    before = m.apply("relu", root)
    sides = (0, 0), (0, 0), (1, 1), (1, 1)
    largest = m.pool(m.pad(before, *sides), "max", (3, 3), stride=2)
    mean = m.pool(m.pad(before, *sides), "average", (3, 3), stride=2)
    agree(m.graph(largest, mean), [root, largest, mean], {x: LAW})


def test_input_of_few_channels():
    m = Maker()
    x = m.input(4, 3, 12, 12)
    y = m.pad(x, (0, 0), (0, 0), (3, 3), (3, 3))
    after = m.convolution(y, 64, (7, 7), stride=2)
    agree(m.graph(after), [x, after], {x: InputLaw()})


def test_sequences():
    m = Maker()
    x = m.input(4, 6, 256)
    before = m.linear(x, 256)
    y = m.pad(before, (0, 0), (2, 0), (0, 0))
    after = m.linear(y, 256)
    agree(m.graph(after), [before, y, after], {x: LAW})


@pytest.mark.parametrize(("before", "value"), [((0, 1), 0.0), ((2, 0), 1.0)])
def test_what_nobody_knows(before, value):
    m = Maker()
    x = m.input(4, 6, N)
    y = m.pad(m.linear(x, N), (0, 0), *((side, 0) for side in before), value=value)
    assert isinstance(run(m.graph(y), {}).values[y], Unknown)


def test_padding_by_nothing():
    m = Maker()
    x = m.input(4, 6, N)
    y = m.pad(x, (0, 0), (0, 0), (0, 0))
    assert predicted(run(m.graph(y), {}), y)["q"] == pytest.approx(1.0, rel=1e-3)
