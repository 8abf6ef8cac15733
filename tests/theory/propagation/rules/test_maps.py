"""Products with known matrices, against simulations."""

import numpy as np
import pytest
import torch
from torch.nn import functional as f

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, around, predicted

LAW = InputLaw(position=0.2, example=0.2)


def _mapped(m, x, axis, matrix):
    shape = m.shape(x)
    letters = "abcdef"[: len(shape)]
    known = m.constant(tuple(map(tuple, matrix.tolist())), *matrix.shape)
    out = letters.replace(letters[axis], "z")
    return m.node(
        "matmul",
        x,
        known,
        shape=(*shape[:axis], len(matrix), *shape[axis + 1 :]),
        equation=f"{letters},z{letters[axis]}->{out}",
    )


def _linear(size, new):
    """The matrix that interpolates along an axis."""
    return f.interpolate(torch.eye(size)[None], new, mode="linear")[0].T


def _means(size, new):
    """The matrix of means over windows of several sizes."""
    return f.adaptive_avg_pool1d(torch.eye(size)[None], new)[0].T


@pytest.mark.parametrize("function", ["tanh", "relu"])
@pytest.mark.parametrize(("matrix", "sizes"), [(_linear, (9, 11)), (_means, (4, 3)), (_means, (8, 6))])
def test_images(matrix, sizes, function):
    """Between convolutions that pad with zeros, along both axes."""
    m = Maker()
    x = m.input(3, 64, 7, 6)
    image = m.apply(function, m.convolution(x, 64, (3, 3), padding=1))
    y = _mapped(m, image, 2, matrix(7, sizes[0]))
    y = _mapped(m, y, 3, matrix(6, sizes[1]))
    after = m.convolution(y, 64, (3, 3), padding=1)
    agree(m.graph(after), [image, y, after], {x: LAW})


def test_what_was_an_image():
    """Windows of an image, and a mean of neighbours in each."""
    m = Maker()
    x = m.input(3, 64, 6, 6)
    image = m.convolution(x, 64, (1, 1))
    apart = m.reshape(image, 3, 64, 2, 3, 2, 3)
    y = m.reshape(_mapped(m, apart, 3, _means(3, 2)), 3, 64, 4, 6)
    after = m.convolution(y, 64, (1, 1))
    agree(m.graph(after), [image, y, after], {x: LAW})


def test_tokens():
    """A sum over all tokens before each one would differ from place to place; a mean of three does not."""
    near = np.eye(8) + np.roll(np.eye(8), 1, 0) + np.roll(np.eye(8), 2, 0)
    around(lambda m, x: _mapped(m, x, 1, near / 3), (4, 8, 256), LAW)


def test_channels():
    """A transform of all features, as of Fourier."""
    n = 128
    waves = np.cos(2 * np.pi * np.outer(np.arange(n), np.arange(n)) / n)
    law = InputLaw(mean=0.2, second_moment=1.2, position=0.3, example=0.2)
    around(lambda m, x: _mapped(m, x, 2, waves / np.sqrt(n)), (4, 6, n), law)


def test_one_place_for_all():
    """A layer that reads the mean of an image, spread over it again."""
    m = Maker()
    x = m.input(3, 64, 6, 6)
    image = m.convolution(x, 64, (3, 3), padding=1)
    mean = m.convolution(m.reduce(image, "mean", (2, 3), keep=True), 64, (1, 1), variance=1 / 8)
    wide = _mapped(m, _mapped(m, mean, 2, np.ones((6, 1))), 3, np.ones((6, 1)))
    after = m.convolution(m.apply("add", image, wide), 64, (1, 1))
    agree(m.graph(after), [image, after], {x: LAW}, draws=4000)
    odd = _mapped(m, mean, 2, np.arange(6.0)[:, None])
    assert isinstance(run(m.graph(odd), {}).values[odd], Unknown)


def test_what_nobody_knows():
    """A product of two signals; of a matrix of which only moments are held; a sum over examples."""
    m = Maker()
    x = m.input(4, 6, 64)
    two = m.node("matmul", x, x, shape=(4, 6, 6), equation="abc,adc->abd")
    held = m.node("constant", shape=(6, 6), mean=0.1, second_moment=0.3)
    large = m.node("matmul", x, held, shape=(4, 6, 64), equation="abc,zb->azc")
    batch = _mapped(m, m.linear(x, 64), 0, np.ones((3, 4)))
    for name in (two, large, batch):
        assert isinstance(run(m.graph(name), {}).values[name], Unknown)


def test_either_order():
    m = Maker()
    x = m.linear(m.input(4, 6, 64), 64)
    known = m.constant(tuple(map(tuple, np.full((6, 3), 0.5).tolist())), 6, 3)
    y = m.node("matmul", known, x, shape=(4, 3, 64), equation="bz,abc->azc")
    assert predicted(run(m.graph(y), {}), y)["q"] == pytest.approx(6 / 4, rel=0.02)
