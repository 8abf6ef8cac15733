"""Convolutions, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree

LAW = InputLaw(mean=0.2, second_moment=1.2, position=0.3, example=0.2)


def _alone(make, shape, **options):
    m = Maker()
    x = m.input(*shape)
    y = make(m, x)
    agree(m.graph(y), [x, y], {x: LAW}, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"window": (3, 3), "padding": 1},
        {"window": (3, 3), "padding": 1, "bias": 0.3},
        {"window": (3, 3)},
        {"window": (5, 3), "padding": ((2, 2), (0, 0))},
        {"window": (3, 3), "padding": ((0, 1), (0, 1)), "stride": 2},
        {"window": (3, 3), "padding": 1, "stride": 2},
        {"window": (1, 1), "stride": 2},
        {"window": (3, 3), "padding": 2, "dilation": 2},
        {"window": (3, 3), "padding": 1, "groups": 8},
        {"window": (4, 4), "stride": 4},
    ],
    ids=str,
)
def test_images(options):
    _alone(lambda m, x: m.convolution(x, 96, **options), (3, 96, 8, 8))


@pytest.mark.parametrize(
    "options",
    [
        {"window": (4, 4), "between": 2, "padding": 2},
        {"window": (3, 3), "between": 2, "padding": ((1, 2), (1, 2)), "bias": 0.2},
        {"window": (2, 2), "between": 2, "padding": 1, "groups": 4},
    ],
    ids=str,
)
def test_transposed(options):
    _alone(lambda m, x: m.convolution(x, 64, **options), (3, 64, 5, 5))


@pytest.mark.parametrize(
    "options", [{"padding": 1}, {"padding": 2, "dilation": 2}, {"padding": 1, "stride": 2}]
)
def test_sequences(options):
    _alone(lambda m, x: m.convolution(x, 128, (3,), **options), (4, 128, 12))


def test_two_layers():
    """Borders are what makes the second layer differ from place to place."""

    def two(m, x):
        y = m.apply("relu", m.convolution(x, 96, (3, 3), padding=1, variance=2 / (9 * 96)))
        return m.convolution(y, 96, (3, 3), padding=1)

    _alone(two, (3, 96, 6, 6))


def test_depthwise_and_pointwise():
    def separable(m, x):
        y = m.convolution(x, 128, (3, 3), padding=1, groups=128)
        return m.convolution(y, 128, (1, 1), bias=0.1)

    _alone(separable, (3, 128, 6, 6))


@pytest.mark.parametrize(("window", "function"), [((1, 1), "relu"), ((3, 3), "relu"), ((1, 1), "silu")])
def test_before_a_global_mean(window, function):
    """By chance a channel is on where its inputs have the sign of its weights, and positions add that up."""
    m = Maker()
    x = m.input(4, 16, 8, 8)
    y = m.convolution(x, 16, window, padding=window[0] // 2, bias=0.0, variance=4 / (16 * window[0] ** 2))
    out = m.reduce(m.apply(function, y), "mean", (2, 3))
    agree(m.graph(out), [], parameters=0.04)


def test_a_depthwise_one_before_a_global_mean():
    """What one channel has in common by chance is little of what the layer behind it sums over."""
    m = Maker()
    x = m.input(4, 64, 8, 8)
    y = m.convolution(x, 64, (3, 3), padding=1, groups=64, bias=0.0)
    y = m.apply("relu", m.convolution(y, 64, (1, 1), bias=0.0))
    agree(m.graph(m.reduce(y, "mean", (2, 3))), [], parameters=0.05)


def test_what_chance_does_in_two_layers():
    m = Maker()
    x = m.input(4, 16, 8, 8)
    y = m.apply("relu", m.convolution(x, 16, (1, 1), variance=2 / 16))
    out = m.reduce(m.apply("relu", m.convolution(y, 16, (1, 1), variance=2 / 16)), "mean", (2, 3))
    agree(m.graph(out), [], parameters=0.05)


@pytest.mark.parametrize("pool", [False, True])
def test_gradients_along_signals(pool):
    """Weights are in the gradients that they are multiplied with, which adds up from layer to layer."""
    m = Maker()
    y = m.input(4, 32, 8, 8)
    before = []
    for layer in range(4):
        y = m.convolution(y, 32, (3, 3), padding=1, bias=0.0, variance=2 / (9 * 32))
        before.append(y)
        y = m.apply("relu", y)
        y = m.pool(y, "max", (2, 2), stride=2) if pool and layer == 2 else y
    agree(m.graph(m.reduce(y, "mean", (2, 3))), [before[0]], tolerance=0.025, parameters=0.07)
