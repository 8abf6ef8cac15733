"""Points that each node needs."""

from fanin.graph.axes import axes_of
from fanin.theory.propagation.demand import points_needed
from theory.propagation.graphs import Maker


def _needed(graph):
    return points_needed(graph, axes_of(graph))


def test_no_pool():
    m = Maker()
    x = m.input(2, 4, 8, 8)
    y = m.convolution(x, 8, (3, 3))
    assert set(_needed(m.graph(y)).values()) == {2}


def test_what_a_pool_reads_has_points_for_its_windows():
    m = Maker()
    x = m.input(2, 4, 8, 8)
    before = m.convolution(x, 8, (3, 3))
    active = m.apply("relu", before)
    y = m.pool(active, "max", (2, 2), stride=2)
    after = m.convolution(y, 8, (1, 1))
    found = _needed(m.graph(after))
    # Elementwise functions share the points of what they read.
    assert found[before] == found[active] > 2 * 4
    assert found[x] == found[y] == found[after] == 2


def test_a_pool_of_pools():
    m = Maker()
    x = m.input(2, 4, 32, 32)
    first = m.pool(x, "max", (2, 2), stride=2)
    second = m.pool(first, "max", (2, 2), stride=2)
    found = _needed(m.graph(second))
    assert found[x] > found[first] > found[second]


def test_means_and_very_large_windows_need_none():
    m = Maker()
    x = m.input(2, 4, 32, 32)
    y = m.pool(x, "average", (2, 2), stride=2)
    z = m.pool(y, "max", (8, 8), stride=8)
    assert set(_needed(m.graph(z)).values()) == {2}


def test_the_largest_of_all_positions_needs_them_all():
    for axis, points in ((1, 9), (2, 2)):  # positions, channels
        m = Maker()
        x = m.linear(m.input(4, 9, 64), 64)
        assert _needed(m.graph(m.reduce(x, "max", (axis,))))[x] == points
