"""Weights that signals meet again, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.rules.again import Meetings
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree

N = 256
LAW = InputLaw(mean=0.2, second_moment=1.2, position=0.3, example=0.2)


def product(m, x, kernel, *bias):
    letters = "abc"[: len(m.shape(x))]
    equation = f"{letters},z{letters[-1]}->{letters[:-1]}z"
    return m.node("linear", x, kernel, *bias, shape=m.shape(x), equation=equation)


@pytest.mark.parametrize("shape", [(4, N), (3, 5, N)], ids=["examples", "positions"])
@pytest.mark.parametrize("between", [None, "tanh", "relu"])
def test_a_layer_after_itself(shape, between):
    m = Maker()
    x = m.input(*shape)
    y = m.linear(x, N)
    kernel = m.weight(N, N, variance=1.5 / N)
    stops = []
    for _ in range(4):
        y = product(m, m.apply(between, y) if between else y, kernel)
        stops.append(y)
    agree(m.graph(y), stops, {x: LAW}, tolerance=0.015)  # drawn gradients of two positions overlap a little


def test_a_residual_block_that_is_used_again():
    """Branches are alike: they add up by far more than ones with weights of their own."""
    m = Maker()
    x = m.input(4, N)
    y = m.linear(x, N)
    up, down = m.weight(N, N, variance=2 / N), m.weight(N, N, variance=1 / N)
    bias = m.weight(N, variance=0.1)
    stops = []
    for _ in range(4):
        branch = product(m, m.apply("relu", product(m, y, up, bias)), down)
        y = m.apply("add", y, m.apply("multiply", branch, 0.5))
        stops.append(y)
    agree(m.graph(y), stops, {x: InputLaw()}, tolerance=0.015)  # alike in networks, too


def test_a_state_that_is_kept_in_part():
    """Of (1/2 + W / 2)^T the gradient is far larger than with new weights each time."""
    m = Maker()
    x = m.input(4, N)
    state, kernel = m.linear(x, N), m.weight(N, N, variance=1 / N)
    first = state
    for _ in range(6):
        now = product(m, state, kernel)
        state = m.apply("add", m.apply("multiply", state, 0.5), m.apply("multiply", now, 0.5))
    agree(m.graph(state), [first, state], {x: InputLaw()}, tolerance=0.02)  # six steps of finite width


def test_norms_that_are_used_again():
    m = Maker()
    x = m.input(4, N)
    y = m.linear(x, N)
    kernel, gain = m.weight(N, N, variance=1 / N), m.weight(N, variance=0.0, mean=1.0)
    for _ in range(4):
        normed = m.apply("multiply", m.norm(y, "rms", axes=(-1,)), gain)
        y = m.apply("add", y, product(m, m.apply("tanh", normed), kernel))
    agree(m.graph(y), [y], {x: InputLaw()})


def test_what_is_read_side_by_side_is_not_met_again():
    m = Maker()
    x, both = m.input(4, N), m.weight(N, N, variance=1 / N)
    graph = m.graph(m.apply("add", product(m, x, both), product(m, x, both)))
    assert not Meetings.of(graph).times
