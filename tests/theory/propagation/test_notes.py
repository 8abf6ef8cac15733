"""What is to be known about a prediction."""

from fanin.theory.propagation.notes import again, equal
from theory.propagation.graphs import Maker


def product(m, x, kernel):
    return m.node("linear", x, kernel, shape=(4, 64), equation="ab,cb->ac")


def test_weights_that_are_met_again():
    m = Maker()
    y = m.linear(m.input(4, 64), 64)
    cell = m.weight(64, 64, variance=1 / 64)
    for _ in range(3):
        y = product(m, y, cell)
    (note,) = again(m.graph(y))
    assert note.startswith("signals meet w1 3 times on their way: gradients")


def test_weights_that_are_read_side_by_side():
    m = Maker()
    x, both = m.input(4, 64), m.weight(64, 64, variance=1 / 64)
    graph = m.graph(m.apply("add", product(m, x, both), product(m, x, both)))
    assert not again(graph)
    assert not equal(graph)
