"""Pools, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree

LAW = InputLaw(second_moment=1.0, position=0.1, example=0.1)
C = 192


def _pooled(make, shape=(3, C, 8, 8), **options):
    m = Maker()
    x = m.input(*shape)
    before = m.convolution(x, C, (1,) * (len(shape) - 2))
    y = make(m, before)
    after = m.convolution(y, C, (1,) * (len(shape) - 2))
    agree(m.graph(after), [before, y, after], {x: LAW}, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"window": (2, 2), "stride": 2},
        {"window": (3, 3), "stride": 1, "padding": 1},
        {"window": (3, 3), "stride": 2, "padding": 1, "count_pad": False},
        {"window": (4, 4), "stride": 4},
    ],
    ids=str,
)
def test_average(options):
    _pooled(lambda m, x: m.pool(x, "average", **options))


@pytest.mark.parametrize(
    "options",
    [
        {"window": (2, 2), "stride": 2},
        {"window": (3, 3), "stride": 2, "padding": 1},
        {"window": (3, 3), "stride": 3},
    ],
    ids=str,
)
def test_largest(options):
    _pooled(lambda m, x: m.pool(x, "max", **options))


@pytest.mark.parametrize(
    "options", [{"window": (2, 2), "stride": 2}, {"window": (3, 3), "stride": 2, "padding": 1}]
)
def test_largest_of_what_is_not_negative(options):
    """Where all of a window is 0, the gradient goes nowhere."""
    _pooled(lambda m, x: m.pool(m.apply("relu", x), "max", **options))


def test_average_of_relu():
    _pooled(lambda m, x: m.pool(m.apply("relu", x), "average", (2, 2), stride=2))


def test_sequences():
    _pooled(lambda m, x: m.pool(x, "average", (2,), stride=2), shape=(4, C, 8))
    _pooled(lambda m, x: m.pool(x, "max", (2,), stride=2), shape=(4, C, 8))


def test_largest_of_very_many():
    m = Maker()
    x = m.input(2, C, 16, 16)
    y = m.pool(x, "max", (8, 8), stride=8)
    assert isinstance(run(m.graph(y), {}).values[y], Unknown)


def test_pool_of_one_position():
    m = Maker()
    x = m.input(2, C, 1, 1)
    y = m.pool(x, "max", (1, 1))
    found = run(m.graph(y), {})
    assert found.values[y].q == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize(
    ("window", "mean", "second"), [(2, 1.0293753730, 1.5513288954), (3, 1.4850131622, 2.5626174183)]
)
def test_the_largest_of_independent_normal_numbers(window, mean, second):
    """By a 15-digit quadrature."""
    m = Maker()
    x = m.input(2, 64, 4 * window, 4 * window)
    y = m.pool(x, "max", window=(window, window), stride=window)
    z = m.convolution(y, 8, (1, 1))
    found = run(m.graph(z), {x: InputLaw()}).values[y]
    assert found.mean == pytest.approx(mean, rel=5e-3)
    assert found.q == pytest.approx(second, rel=5e-3)
