"""Links between layers, and rows of layers that are linked."""

import pytest

from fanin.frameworks.pairs import Layer, Link, link, pairs_of
from fanin.graph.parameter import Pairs

CONV = Layer("conv", 3, 8, first=True)
IMAGE = Layer("conv", 3, 8)  # channels last
FC = Layer("fc", 72, 5)


@pytest.mark.parametrize(
    ("layer", "reader", "flat", "values"),
    [
        (Layer("one", 3, 8), Layer("fc", 8, 5), False, 1),
        (CONV, FC, True, 9),
        (IMAGE, FC, True, 1),
        (CONV, Layer("next", 8, 6, 2, first=True), False, 1),
    ],
)
def test_links(layer, reader, flat, values):
    assert link(layer, "relu", reader, flat=flat) == Link(layer.key, 8, "relu", reader.key, values)


@pytest.mark.parametrize(
    ("layer", "activation", "reader", "flat"),
    [
        (None, "relu", FC, True),
        (CONV, "relu", None, True),
        (CONV, "", FC, True),
        (CONV, "relu", FC, False),  # 72 is no channel's number
        (CONV, "relu", Layer("fc", 8, 5), False),  # reads along a row of pixels
        (CONV, "relu", Layer("fc", 73, 5), True),
        (Layer("odd", 3, 9), "relu", Layer("fc", 9, 5), False),
        (Layer("odd groups", 6, 6, 2), "relu", Layer("fc", 6, 5), False),
        (CONV, "relu", Layer("one a group", 8, 8, 8, first=True), False),
    ],
)
def test_what_is_not_linked(layer, activation, reader, flat):
    assert link(layer, activation, reader, flat=flat) is None


def test_rows_that_join_and_rows_apart():
    links = [
        Link("a", 8, "relu", "b", 1),
        Link("c", 4, "relu", "d", 1),
        Link("b", 6, "gelu", "e", 1),
        Link("b", 6, "gelu", "f", 1),
    ]
    found = pairs_of(links)
    assert found["a"] == Pairs(0, "relu", 4, 6)
    assert found["b"] == Pairs(1, "gelu", 4, 6)
    assert found["e"] == found["f"] == Pairs(1, "", 4, 6)
    assert found["d"] == Pairs(1, "", 2, 4)
