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
    ("layer", "reader", "flat", "sixteens"),
    [
        (Layer("one", 3, 32), Layer("fc", 32, 5), False, True),
        (Layer("one", 3, 24), Layer("fc", 24, 5), False, False),
        (Layer("one", 3, 32, 2), Layer("next", 32, 6), False, True),
        (Layer("one", 3, 32, 4), Layer("next", 32, 6), False, False),
        (Layer("one", 3, 32), Layer("next", 32, 8, 4), False, False),
        (Layer("conv", 3, 16, first=True), Layer("fc", 144, 5), True, True),
        (Layer("conv", 3, 8), Layer("fc", 16, 5), True, False),  # a unit lies at 3 and at 11
    ],
)
def test_units_that_come_in_sixteens(layer, reader, flat, sixteens):
    found = link(layer, "relu", reader, flat=flat)
    assert found is not None
    assert found.sixteens == sixteens


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


def test_links_to_the_end_by_the_longest_way():
    """a - b - c - d, and b - e: the readers of b agree on what is left."""
    ends = ("ab", "bc", "be", "cd")
    found = pairs_of([Link(one, 16, "silu", other, 1, sixteens=True) for one, other in ends])
    left = {key: (pairs.input_links, pairs.output_links) for key, pairs in found.items()}
    assert left == {"a": (0, 3), "b": (3, 2), "c": (2, 1), "d": (1, 0), "e": (2, 0)}


def test_a_link_that_does_not_split_says_so_on_both_sides_and_counts():
    links = [
        Link("a", 16, "silu", "b", 1, sixteens=True),
        Link("b", 16, "silu", "c", 1, sixteens=True),
        Link("b", 16, "silu", "d", 1, sixteens=False),
    ]
    found = pairs_of(links)
    assert [found[key].input_links for key in "bcd"] == [2, 0, 0]
    assert [found[key].output_links for key in "ab"] == [2, 0]
