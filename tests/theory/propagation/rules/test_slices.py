"""Slices, against simulations."""

import pytest

from fanin.graph.signal import Law
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Fixed
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, around

LAW = InputLaw(mean=0.2, second_moment=1.2, position=0.3, example=0.2)
N = 256


def _around(make, **options):
    around(make, (4, 6, N), LAW, **options)


@pytest.mark.parametrize(("start", "stop", "step"), [(0, 128, 1), (128, 256, 1), (0, 256, 2), (64, 96, 1)])
def test_slices_of_channels(start, stop, step):
    _around(lambda m, x: m.slice(x, 2, start, stop, step=step))


def test_a_few_of_very_many_channels():
    """Fewer than the rows that stand for all."""
    m = Maker()
    x = m.input(4, 1 << 18)
    y = m.slice(m.apply("relu", x), 1, 7, 9)
    found = run(m.graph(y), {}).values[y]
    assert found.width == 2
    assert found.values.shape[0] > 1


def test_slice_of_examples():
    m = Maker()
    x = m.input(8, N)
    before = m.linear(x, N)
    y = m.slice(before, 0, 0, 2)
    after = m.linear(y, N)
    agree(m.graph(after), [before, y, after], {x: InputLaw()})


def test_slice_of_what_is_not_normal():
    _around(lambda m, x: m.slice(m.apply("relu", x), 2, 0, 128))


@pytest.mark.parametrize(
    ("start", "stop", "drop"), [(0, 1, True), (0, 1, False), (2, 5, False), (5, 6, True)]
)
def test_slices_of_positions(start, stop, drop):
    _around(lambda m, x: m.slice(x, 1, start, stop, drop=drop))


def _of_image(make, function="tanh", padding=1, **options):
    """Between convolutions that pad with zeros, so that borders differ from what lies inside."""
    m = Maker()
    x = m.input(3, 64, 7, 6)
    window = 2 * padding + 1
    image = m.apply(function, m.convolution(x, 64, (window, window), padding=padding))
    y = make(m, image)
    shape = m.shape(y)
    after = m.convolution(y, 64, (3,) * (len(shape) - 2), padding=1)
    agree(
        m.graph(after),
        [image, y, after],
        {x: InputLaw(position=0.2, example=0.2)},
        **options,
    )


@pytest.mark.parametrize(
    ("axis", "start", "stop", "step"), [(2, 0, 6, 1), (3, 1, 5, 1), (2, 0, 7, 2), (3, 5, None, -1)]
)
def test_rows_and_columns_of_images(axis, start, stop, step):
    def part(m, x):
        shape = list(m.shape(x))
        shape[axis] = len(range(shape[axis])[start:stop:step])
        return m.node("slice", x, shape=shape, axis=axis, start=start, stop=stop, step=step, drop=False)

    _of_image(part)


def test_one_row_of_an_image():
    _of_image(lambda m, x: m.slice(x, 2, 3, 4, drop=True))
    _of_image(lambda m, x: m.slice(x, 3, 2, 3), function="relu")


def test_a_roll():
    """Rows that lay at the borders lie inside, and still have in common what neighbours have."""

    def rolled(m, x):
        for axis, cut in ((2, 3), (3, 2)):
            end = m.shape(x)[axis]
            x = m.concat(m.slice(x, axis, cut, end), m.slice(x, axis, 0, cut), axis=axis)
        return x

    _of_image(rolled)


def test_a_reflection():
    """Some rows are there twice."""

    def reflected(m, x):
        for axis in (2, 3):
            end = m.shape(x)[axis]
            first, last = m.slice(x, axis, 1, 2), m.slice(x, axis, end - 2, end - 1)
            x = m.concat(first, x, last, axis=axis)
        return x

    _of_image(reflected)


def test_rows_of_what_is_no_image_any_more():
    """Windows of an image: a part of each, some of them twice."""

    def windows(m, x):
        x = m.reshape(x, 3, 64, 7, 2, 3)
        x = m.concat(m.slice(x, 4, 1, 3), m.slice(x, 4, 1, 2), axis=4)
        return m.reshape(m.slice(x, 3, 0, 1, drop=True), 3, 64, 7, 3)

    _of_image(windows, padding=0)


def test_places_of_tokens():
    m = Maker()
    x = m.tokens(4, 8)
    table = m.weight(20, N)
    y = m.embedding(m.concat(m.slice(x, 1, 6, 8), m.slice(x, 1, 0, 4), axis=1), table)
    found = run(m.graph(m.linear(y, N)), {x: InputLaw(tokens=True)}).values[y]
    assert found.places.total == 6


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


def test_parts_of_a_kernel_learn_their_share():
    """As a packed projection does, of which attention to other words takes one part for queries."""
    m = Maker()
    x = m.input(8, N)
    packed = m.weight(3 * N, N, variance=1 / N)
    one = m.node("linear", x, m.slice(packed, 0, 0, N), shape=(8, N), equation="ab,cb->ac")
    rest = m.node("linear", x, m.slice(packed, 0, N, 3 * N), shape=(8, 2 * N), equation="ab,cb->ac")
    y = m.linear(m.apply("add", m.apply("tanh", one), m.slice(rest, 1, 0, N)), N)
    agree(m.graph(y), [one, rest, y], {x: InputLaw()})


def test_parts_of_a_constant():
    m = Maker()
    c = m.constant(((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), 2, 3)
    row = m.slice(m.permute(c, 1, 0), 0, 1, 2, drop=True)
    wide = m.broadcast(row, 4, 2, axes=(1,))
    found = run(m.graph(wide), {}).values
    assert isinstance(found[row], Fixed)
    assert found[row].array.tolist() == [2.0, 5.0]
    assert found[wide].array.tolist() == [[2.0, 5.0]]
