"""Dropout, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree

LAW = InputLaw(mean=0.5, second_moment=1.25, position=0.4, example=0.3)
N = 256


@pytest.mark.parametrize(("rate", "shared"), [(0.1, ()), (0.5, ()), (0.0, ()), (0.3, (1,))])
def test_dropout(rate, shared):
    m = Maker()
    x = m.input(4, 6, N)
    before = m.linear(x, N)
    y = m.dropout(before, rate, shared)
    after = m.linear(y, N)
    agree(m.graph(after), [before, y, after], {x: LAW})


def test_dropped_paths():
    """A branch that is dropped for a whole example."""
    m = Maker()
    x = m.input(8, 3, 64)
    branch = m.dropout(m.linear(x, 64), 0.2, (1, 2))
    y = m.apply("add", x, branch)
    after = m.linear(y, 64)
    agree(m.graph(after), [branch, y, after], {x: InputLaw()})


def test_everything_dropped():
    m = Maker()
    x = m.input(4, N)
    y = m.dropout(x, 1.0)
    assert isinstance(run(m.graph(y), {}).values[y], Unknown)


@pytest.mark.parametrize(("kind", "mean", "variance"), [("normal", 0.0, 1.0), ("uniform", 0.5, 1 / 12)])
def test_random_numbers(kind, mean, variance):
    """As a variational autoencoder draws its code: m + exp(v / 2) e."""
    m = Maker()
    x = m.input(4, 6, N)
    level, spread = m.linear(x, N), m.apply("exp", m.linear(x, N, variance=0.25 / N))
    drawn = m.node("noise", level, shape=(4, 6, N), kind=kind, mean=mean, variance=variance)
    y = m.apply("add", level, m.apply("multiply", spread, drawn))
    after = m.linear(y, N)
    agree(m.graph(after), [level, spread, drawn, y, after], {x: LAW})
