"""What padding becomes a part of."""

import pytest

from fanin.theory.propagation.folding import folded
from theory.propagation.graphs import Maker

SIDES = (0, 0), (0, 0), (1, 2), (0, 3)


def _image(make, *sides, value=0.0, function="relu"):
    m = Maker()
    x = m.apply(function, m.input(2, 4, 8, 8))
    pad = m.pad(x, *sides, value=value)
    y = make(m, pad)
    return folded(m.graph(y))[y], x, pad


def test_convolution():
    node, x, _ = _image(lambda m, pad: m.convolution(pad, 4, (3, 3), padding=1), *SIDES)
    assert node.inputs[0] == x
    assert node["padding"] == ((2, 3), (1, 4))


def test_two_pads():
    node, x, _ = _image(lambda m, pad: m.convolution(m.pad(pad, *SIDES), 4, (3, 3)), *SIDES)
    assert node.inputs[0] == x
    assert node["padding"] == ((2, 4), (0, 6))


@pytest.mark.parametrize(("kind", "function", "folds"), [("max", "relu", True), ("max", "tanh", False)])
def test_largest(kind, function, folds):
    node, x, pad = _image(lambda m, pad: m.pool(pad, kind, (3, 3)), *SIDES, function=function)
    assert node.inputs[0] == (x if folds else pad)


@pytest.mark.parametrize(("value", "folds"), [(-float("inf"), True), (-3.4e38, True), (-1.0, False)])
def test_largest_of_what_is_padded_with_the_least(value, folds):
    """As TensorFlow's "same" pools are written for others."""
    node, x, pad = _image(lambda m, pad: m.pool(pad, "max", (3, 3)), *SIDES, function="tanh", value=value)
    assert node.inputs[0] == (x if folds else pad)


@pytest.mark.parametrize("counts", [True, False])
def test_mean(counts):
    node, x, pad = _image(lambda m, pad: m.pool(pad, "average", (3, 3), count_pad=counts), *SIDES)
    assert node.inputs[0] == (x if counts else pad)


@pytest.mark.parametrize(
    ("sides", "value"),
    [(SIDES, 1.0), (((0, 0), (1, 0), (1, 1), (1, 1)), 0.0), (((0, 0), (0, 0), (-1, 0), (0, 0)), 0.0)],
)
def test_what_stays(sides, value):
    node, _, pad = _image(lambda m, pad: m.convolution(pad, 4, (3, 3)), *sides, value=value)
    assert node.inputs[0] == pad


def test_transposed_convolution():
    node, _, pad = _image(lambda m, pad: m.convolution(pad, 4, (3, 3), between=2), *SIDES)
    assert node.inputs[0] == pad
