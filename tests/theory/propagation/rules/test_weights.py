"""What is made of weights alone, against draws."""

import numpy as np
import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Kernel, Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, simulated

N = 128


def _moments(m, name):
    """Return the mean and the second moment of what is made, as predicted and as drawn."""
    found = run(m.graph(name), {}).values[name]
    assert isinstance(found, Kernel)
    truth = simulated(m.graph(name), draws=200).forward[name].value
    return (found.law.mean, found.law.second_moment), (truth["mean"], truth["q"])


def test_a_network_of_places():
    """As Swin v2 makes a bias of relative places: layers that read a constant."""
    m = Maker()
    places = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    x = m.constant(tuple(map(tuple, places.tolist())), 50, 2)
    hidden = m.apply("relu", m.linear(x, N, variance=0.3, bias=0.1))
    y = m.linear(hidden, 16, variance=1 / N)
    predicted, truth = _moments(m, y)
    assert predicted[0] == pytest.approx(truth[0], abs=0.02)
    assert predicted[1] == pytest.approx(truth[1], rel=0.02)


def test_a_convolution_of_a_constant():
    m = Maker()
    x = m.constant(
        tuple(tuple(tuple(1.0 + (c + i) % 3 for i in range(5)) for c in range(6)) for _ in (0,)), 1, 6, 5
    )
    y = m.convolution(x, 32, (1,), variance=0.2, bias=0.5)
    predicted, truth = _moments(m, y)
    assert predicted[0] == pytest.approx(truth[0], abs=0.05)
    assert predicted[1] == pytest.approx(truth[1], rel=0.03)


def test_means_of_a_table():
    m = Maker()
    y = m.pool(m.weight(1, 32, 8, 8, variance=2.0, mean=1.0), "average", (2, 2), stride=2)
    predicted, truth = _moments(m, y)
    assert predicted == pytest.approx(truth, rel=0.02)
    largest = m.pool(m.weight(1, 32, 8, 8), "max", (2, 2), stride=2)
    assert isinstance(run(m.graph(largest), {}).values[largest], Unknown)


def test_a_standardized_kernel():
    """As NFNets have it: each filter is normalized, then scaled."""
    m = Maker()
    x = m.input(8, N)
    raw = m.weight(N, N, variance=0.01, mean=0.05)
    kernel = m.norm(raw, "layer", axes=(1,), channel=1)
    scaled = m.apply("multiply", kernel, N**-0.5)
    y = m.node("linear", x, scaled, shape=(8, N), equation="ab,cb->ac")
    agree(m.graph(y), [x, y], {x: InputLaw()})


def test_weights_that_make_one_together():
    """A sum of two kernels, and a product: each learns. What scales a whole filter is left out."""
    m = Maker()
    x = m.input(8, N)
    both = m.apply("add", m.weight(N, N, variance=1 / N), m.apply("multiply", m.weight(N, N), 0.05))
    masked = m.apply("multiply", both, m.weight(N, N, variance=0.5, mean=1.0))
    y = m.node("linear", x, masked, shape=(8, N), equation="ab,cb->ac")
    graph = m.graph(m.linear(m.apply("tanh", y), 64))
    agree(graph, [x, y], {x: InputLaw()})
    gain = m.apply("multiply", m.weight(N, N), m.weight(N, 1, variance=0.0, mean=0.1))
    z = m.node("linear", x, gain, shape=(8, N), equation="ab,cb->ac")
    found = run(m.graph(z), {})
    assert [name for name in ("w4", "w5") if name in found.context.gradients] == ["w4"]


def test_weights_of_unknown_laws():
    m = Maker()
    x = m.constant(((1.0, 2.0),), 1, 2)
    y = m.node("linear", x, m.weight(4, 2, law=None), shape=(1, 4), equation="ab,cb->ac")
    value = run(m.graph(y), {}).values[y]
    assert isinstance(value, Unknown)
    assert "w0" in value.reason
