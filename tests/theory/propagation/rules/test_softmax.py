"""Softmax over channels, against simulations and closed forms."""

import math

import numpy as np
import pytest

from fanin.theory.propagation.draws import Normals
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.rules.softmax import Groups
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Unknown
from fanin.theory.softmax import softmax_moments
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, predicted

LAW = InputLaw(second_moment=1.0, position=0.3, example=0.2)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("classes", [10, 256])
def test_over_channels(classes, log):
    m = Maker()
    x = m.input(4, 3, 128)
    before = m.linear(x, classes, variance=1 / 128)
    y = m.softmax(before, log=log)
    agree(m.graph(y), [before, y], {x: LAW}, draws=1000, tolerance=0.03, parameters=0.04)


@pytest.mark.parametrize("classes", [100, 1000, 30000])
def test_second_moment_of_shares(classes):
    m = Maker()
    x = m.input(4, classes)
    y = m.softmax(x)
    squares, _ = softmax_moments(classes, 1.0)
    found = run(m.graph(y), {x: InputLaw(second_moment=1.0)})
    assert predicted(found, y)["q"] == pytest.approx(squares / classes, rel=0.03)


def test_over_positions():
    m = Maker()
    x = m.input(4, 8, 128)
    y = m.softmax(x, axis=1)
    assert isinstance(run(m.graph(y), {}).values[y], Unknown)


@pytest.mark.parametrize(("rows", "classes"), [(64, 10), (64, 64), (64, 1000)])
def test_groups(rows, classes):
    values = np.random.default_rng(0).normal(size=(rows, 2, 1))
    groups = Groups(rows, classes)
    shares = groups.softmax(values)
    # Shares of one group sum to 1, if it stands for all of its classes.
    assert groups.sums(shares)[: groups.used] == pytest.approx(1.0)
    assert groups.log_softmax(values) == pytest.approx(np.log(shares))
    assert np.mean(shares[: groups.used]) == pytest.approx(1 / classes)


def test_classes_of_a_group_are_independent():
    """Rows that follow each other are not: they fill the space evenly."""
    rows, classes = 4096, 16
    values = Normals(rows, 0).take(1)[:, :, None]
    sums = np.unique(Groups(rows, classes).sums(values))
    assert len(sums) == rows / classes
    assert np.var(sums) == pytest.approx(classes, rel=0.3)


def test_equal_logits():
    groups = Groups(32, 8)
    assert groups.log_softmax(np.zeros((32, 1, 1))) == pytest.approx(-math.log(8))
