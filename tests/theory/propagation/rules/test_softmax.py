"""Softmax over channels, against simulations and closed forms."""

import math

import numpy as np
import pytest

from fanin.theory.propagation.draws import Normals
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.rules.softmax import Groups
from fanin.theory.propagation.run import run
from fanin.theory.softmax import softmax_moments
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, predicted, predicted_back

LAW = InputLaw(second_moment=1.0, position=0.3, example=0.2)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("classes", "width"), [(10, 256), (256, 512)])
def test_over_channels(classes, width, log):
    m = Maker()
    x = m.input(24, 3, width)
    before = m.linear(x, classes, variance=1 / width)
    y = m.softmax(before, log=log)
    agree(m.graph(y), [before, y], {x: LAW})


@pytest.mark.parametrize(("classes", "variance"), [(100, 1.0), (1000, 1.0), (30000, 1.0), (64, 9.0)])
def test_exact_moments(classes, variance):
    m = Maker()
    x = m.input(4, classes)
    y = m.softmax(x)
    truth = softmax_moments(classes, variance)
    found = run(m.graph(y), {x: InputLaw(second_moment=variance)})
    assert predicted(found, y)["q"] == pytest.approx(truth.sum_squares / classes, rel=1e-4)
    assert predicted_back(found, x)["q"] == pytest.approx(truth.backward / classes, rel=1e-4)


def test_logits_that_vary_from_network_to_network():
    """E sum p^2 grows with their variance, the more the larger it is."""

    def found(width):
        m = Maker()
        x = m.input(4, width)
        y = m.softmax(m.linear(x, 100, variance=4 / width))
        return predicted(run(m.graph(y), {}), y)["q"]

    aside = [softmax_moments(100, 4 * (1 + sign * math.sqrt(2 / 32))).sum_squares for sign in (1, -1)]
    wide = softmax_moments(100, 4.0).sum_squares
    assert found(32) / found(1 << 16) == pytest.approx(np.mean(aside) / wide, rel=5e-3)


def test_a_mask_on_the_gradient():
    """A factor on each class's gradient, which does not have to be drawn."""
    m = Maker()
    x = m.input(24, 256)
    y = m.softmax(m.linear(x, 64, variance=0.3 / 256))
    z = m.apply("multiply", y, m.weight(64, mean=1.0, variance=0.3))
    agree(m.graph(z), [y, z], {x: InputLaw()})


def test_over_positions():
    """Shares of all places sum to 1, whatever they are: E[(sum p)^2] = n E[p^2] + n (n - 1) E[p p'] = 1."""
    m = Maker()
    x = m.input(4, 8, 128)
    y = m.softmax(x, axis=1)
    found = predicted(run(m.graph(y), {}), y)
    assert found["mean"] == pytest.approx(1 / 8, rel=0.01)
    assert 8 * found["q"] + 8 * 7 * found["position"] == pytest.approx(1.0, rel=0.01)


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
