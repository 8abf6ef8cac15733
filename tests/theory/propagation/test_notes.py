"""What is to be known about a prediction."""

from fanin.theory.propagation.notes import again, equal
from theory.propagation.graphs import Maker


def image_of(m, times):
    """Return an image that goes through one convolution several times."""
    y, kernel = m.input(2, 8, 6, 6), m.weight(8, 8, 3, 3, variance=1 / 72)
    for _ in range(times):
        y = m.node("convolution", y, kernel, shape=(2, 8, 6, 6), stride=(1, 1), padding=((1, 1), (1, 1)))
    return m.graph(y)


def test_convolutions_that_are_met_again():
    (note,) = again(image_of(Maker(), 3))
    assert note.startswith("signals meet w0 3 times on their way, and convolution between these")


def test_what_needs_no_note():
    assert not again(image_of(Maker(), 1))
    m = Maker()
    y = m.input(4, 64)
    cell = m.weight(64, 64, variance=1 / 64)
    for _ in range(3):
        y = m.node("linear", y, cell, shape=(4, 64), equation="ab,cb->ac")
    graph = m.graph(y)
    assert not again(graph)
    assert not equal(graph)
