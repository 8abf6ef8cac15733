"""Slices, joined values and other shapes, against simulations."""

import pytest

from fanin.graph.signal import Law
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Fixed, Kernel, Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree

LAW = InputLaw(mean=0.2, second_moment=1.2, position=0.3, example=0.2)
N = 256


def _around(make, shape=(4, 6, N), more=(), **options):
    """Compare a change of shape between layers with weights."""
    m = Maker()
    x = m.input(*shape)
    before = m.linear(x, shape[-1])
    y = make(m, before)
    after = m.linear(m.apply("tanh", y), N)
    agree(m.graph(after), [before, y, after], {x: LAW}, **options)


@pytest.mark.parametrize(("start", "stop", "step"), [(0, 128, 1), (128, 256, 1), (0, 256, 2), (64, 96, 1)])
def test_slices_of_channels(start, stop, step):
    _around(lambda m, x: m.slice(x, 2, start, stop, step=step), tolerance=0.015)


def test_a_few_of_very_many_channels():
    """Fewer than the rows that stand for all."""
    m = Maker()
    x = m.input(4, 1 << 18)
    y = m.slice(m.apply("relu", x), 1, 7, 9)
    found = run(m.graph(y), {}).values[y]
    assert found.width == 2
    assert found.values.shape[0] > 1


def test_slice_of_what_is_not_normal():
    _around(lambda m, x: m.slice(m.apply("relu", x), 2, 0, 128), tolerance=0.025)


@pytest.mark.parametrize(
    ("start", "stop", "drop"), [(0, 1, True), (0, 1, False), (2, 5, False), (5, 6, True)]
)
def test_slices_of_positions(start, stop, drop):
    _around(lambda m, x: m.slice(x, 1, start, stop, drop=drop), tolerance=0.015, draws=1500)


def test_channels_beside_each_other():
    def beside(m, x):
        return m.concat(m.linear(x, 64, variance=2 / N), m.apply("relu", x), axis=2)

    _around(beside, tolerance=0.015)


def test_the_same_beside_itself():
    """As CReLU: relu(x) and relu(-x)."""
    _around(
        lambda m, x: m.concat(m.apply("relu", x), m.apply("relu", m.apply("negative", x)), axis=2),
        tolerance=0.02,
    )


def test_dense_connections():
    def dense(m, x):
        for _ in range(2):
            x = m.concat(x, m.linear(m.apply("relu", x), 64, variance=2 / N), axis=2)
        return x

    _around(dense, tolerance=0.015)


def test_positions_after_each_other():
    def after(m, x):
        return m.concat(m.linear(x, N, variance=2 / N), x, axis=1)

    _around(after, tolerance=0.015)


def test_class_token_and_table_of_positions():
    """As in a vision transformer: a token of weights, then patches, then a table for all."""

    def patches(m, x):
        token = m.broadcast(m.weight(1, 1, N, variance=0.5), 4, 1, N, axes=(0, 1, 2))
        whole = m.concat(token, x, axis=1)
        return m.apply("add", whole, m.weight(7, N, variance=0.3))

    _around(patches, tolerance=0.015, draws=1200)


def test_reshapes_and_permutes():
    def turned(m, x):
        y = m.reshape(x, 4, 6, 8, 32)
        y = m.permute(y, 0, 2, 1, 3)
        return m.reshape(m.permute(y, 0, 2, 1, 3), 4, 6, N)

    _around(turned, tolerance=0.015)


def test_copies_along_channels():
    """As keys that several queries share: gradients of copies add up."""

    def copied(m, x):
        y = m.broadcast(m.reshape(x, 4, 6, 64, 4), 4, 6, 64, 2, 4, axes=(0, 1, 2, 4))
        return m.reshape(m.reshape(y, 4, 6, 128, 4), 4, 6, 512)

    m = Maker()
    x = m.input(4, 6, N)
    before = m.linear(x, N)
    found = run(m.graph(m.linear(copied(m, before), 64)), {})
    one = run(m.graph(m.linear(before, 64)), {})
    assert found.cotangents[before].covariance(found.values[before].places)[0, 0, 0, 0] == pytest.approx(
        one.cotangents[before].covariance(one.values[before].places)[0, 0, 0, 0], rel=0.01
    )


# Weights and constants


def test_parts_of_a_kernel():
    m = Maker()
    w = m.weight(N, 30, variance=1.0, parts=(Law(0, 1.0), Law(0, 4.0), Law(0, 9.0)), axis=1)
    parts = [m.slice(w, 1, 10 * part, 10 * part + 10) for part in range(3)]
    turned = m.permute(w, 1, 0)
    joined = m.concat(*parts, axis=1)
    found = run(m.graph(joined, turned), {}).values
    assert [found[part].law.variance for part in parts] == [1.0, 4.0, 9.0]
    assert found[turned].axis == 0
    assert [law.variance for law in found[joined].parts] == [1.0, 4.0, 9.0]
    assert found[joined].law.variance == pytest.approx(14 / 3)


def test_parts_of_a_constant():
    m = Maker()
    c = m.constant(((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), 2, 3)
    row = m.slice(m.permute(c, 1, 0), 0, 1, 2, drop=True)
    wide = m.broadcast(row, 4, 2, axes=(1,))
    found = run(m.graph(wide), {}).values
    assert isinstance(found[row], Fixed)
    assert found[row].array.tolist() == [2.0, 5.0]
    assert found[wide].array.tolist() == [[2.0, 5.0]]


def test_kernel_of_unknown_law_in_a_concat():
    m = Maker()
    y = m.concat(m.weight(4, 4), m.weight(4, 4, law=None), axis=0)
    found = run(m.graph(y), {}).values[y]
    assert isinstance(found, Unknown)


def test_reshaped_kernel():
    m = Maker()
    y = m.reshape(m.weight(4, 6, variance=2.0), 24)
    found = run(m.graph(y), {}).values[y]
    assert isinstance(found, Kernel)
    assert found.shape == (24,)
    assert found.law.variance == 2.0
