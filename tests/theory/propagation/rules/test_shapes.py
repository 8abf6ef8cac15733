"""Other shapes of the same values, against simulations."""

import pytest

from fanin.graph.signal import Law
from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Kernel, Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, around

LAW = InputLaw(mean=0.2, second_moment=1.2, position=0.3, example=0.2)
N = 256


def _around(make, **options):
    around(make, (4, 6, N), LAW, **options)


def test_reshapes_and_permutes():
    def turned(m, x):
        y = m.reshape(x, 4, 6, 8, 32)
        y = m.permute(y, 0, 2, 1, 3)
        return m.reshape(m.permute(y, 0, 2, 1, 3), 4, 6, N)

    _around(turned)


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


def _of_image(make, *, function="tanh", channels=64, **options):
    """After a convolution that pads with zeros."""
    m = Maker()
    x = m.input(3, 32, 6, 6)
    image = m.apply(function, m.convolution(x, channels, (3, 3), padding=1))
    y = make(m, image)
    after = m.convolution(y, 64, (1, 1))
    agree(
        m.graph(after),
        [image, y, after],
        {x: InputLaw(position=0.2, example=0.2)},
        **options,
    )


@pytest.mark.parametrize("function", ["tanh", "relu"])
def test_neighbours_beside_each_other(function):
    """As patches are merged, or pixels are unshuffled: four times the channels."""

    def merged(m, x):
        apart = m.permute(m.reshape(x, 3, 64, 3, 2, 3, 2), 0, 1, 3, 5, 2, 4)
        return m.reshape(apart, 3, 256, 3, 3)

    _of_image(merged, function=function)


@pytest.mark.parametrize("function", ["tanh", "relu"])
def test_pixel_shuffle(function):
    def spread(m, x):
        apart = m.permute(m.reshape(x, 3, 32, 2, 2, 6, 6), 0, 1, 4, 2, 5, 3)
        return m.reshape(apart, 3, 32, 12, 12)

    _of_image(spread, channels=128, function=function)


@pytest.mark.parametrize("function", ["tanh", "relu"])
def test_nearest_neighbours(function):
    """Each pixel is there four times."""

    def wider(m, x):
        for axis in (2, 3):
            shape = m.shape(x)
            before, after = shape[: axis + 1], shape[axis + 1 :]
            thin = m.reshape(x, *before, 1, *after)
            places = tuple(range(len(shape) + 1))
            wide = m.broadcast(thin, *before, 2, *after, axes=places)
            x = m.reshape(wide, *shape[:axis], 2 * shape[axis], *after)
        return x

    _of_image(wider, function=function)


def test_tokens_that_are_repeated():
    def tiled(m, x):
        wide = m.broadcast(m.reshape(x, 4, 1, 6, N), 4, 3, 6, N, axes=(0, 1, 2, 3))
        return m.reshape(wide, 4, 18, N)

    _around(tiled)


def test_other_positions_that_nobody_knows():
    m = Maker()
    x = m.linear(m.input(4, 6, N), N)
    wide = m.broadcast(m.reshape(x, 4, 1, 6, N, 1), 4, 3, 6, N, 2, axes=(0, 1, 2, 3, 4))
    y = m.reshape(m.permute(wide, 0, 1, 2, 4, 3), 4, 18, 2 * N)
    found = run(m.graph(m.linear(y, 8)), {}).values[wide]
    assert isinstance(found, Unknown)


def test_reshaped_kernel():
    m = Maker()
    y = m.reshape(m.weight(4, 6, variance=2.0), 24)
    found = run(m.graph(y), {}).values[y]
    assert isinstance(found, Kernel)
    assert found.shape == (24,)
    assert found.law.variance == 2.0


def test_parts_of_a_weight_stay_on_their_axis():
    """A bias of gates is put beside a batch, split into rows, or turned."""
    m = Maker()
    laws = Law(0.0, 0.0), Law(1.0, 0.0)
    bias = m.weight(8, variance=0.25, parts=laws)
    beside, split = m.reshape(bias, 1, 8), m.reshape(bias, 4, 2)
    found = run(m.graph(beside, split), {}).values
    assert (found[beside].axis, found[beside].parts) == (1, laws)
    assert not found[split].parts
