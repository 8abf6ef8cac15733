"""Norms, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree

LAW = InputLaw(mean=0.5, second_moment=2.0, position=0.4, example=0.3)
N = 512


def _between(make, shape=(4, 3, N), outs=N, channel_last=True, **options):
    """Compare a norm between two layers with weights, as norms stand."""
    m = Maker()
    x = m.input(*shape)
    before = m.linear(x, outs, variance=3 / N, bias=0.5)
    y = make(m, m.apply("add", before, 0.4))
    after = m.linear(y, outs)
    agree(m.graph(after), [before, y, after], {x: LAW}, **options)


@pytest.mark.parametrize("affine", [False, True])
def test_layer_norm(affine):
    def make(m, x):
        slots = (
            {"scale": m.weight(N, mean=1.2, variance=0.1), "offset": m.weight(N, variance=0.2)}
            if affine
            else {}
        )
        return m.norm(x, "layer", axes=(2,), channel=2, **slots)

    _between(make)


def test_rms_norm():
    _between(lambda m, x: m.norm(x, "rms", axes=(2,), channel=2, scale=m.weight(N, mean=1.0, variance=0.0)))


def test_large_epsilon():
    _between(lambda m, x: m.norm(x, "layer", axes=(2,), channel=2, eps=3.0))


def test_layer_norm_of_small_operations():
    def make(m, x):
        mean = m.reduce(x, "mean", (2,), keep=True)
        centred = m.apply("subtract", x, mean)
        variance = m.reduce(m.apply("square", centred), "mean", (2,), keep=True)
        return m.apply("multiply", centred, m.apply("rsqrt", m.apply("add", variance, 1e-5)))

    _between(make)


def test_rms_norm_of_small_operations():
    def make(m, x):
        level = m.reduce(m.apply("square", x), "mean", (2,), keep=True)
        return m.apply("divide", x, m.apply("sqrt", m.apply("add", level, 1e-5)))

    _between(make)


def _image(make, shape=(4, 64, 4, 4), **options):
    m = Maker()
    x = m.input(*shape)
    before = m.convolution(x, shape[1], (3, 3), padding=1, variance=3 / (9 * shape[1]))
    y = make(m, before)
    after = m.convolution(y, shape[1], (1, 1))
    agree(m.graph(after), [before, y, after], {x: LAW}, **options)


def test_group_norm():
    _image(
        lambda m, x: m.norm(x, "group", axes=(1, 2, 3), groups=4, scale=m.weight(128), offset=m.weight(128)),
        shape=(3, 128, 4, 4),
    )


@pytest.mark.parametrize("groups", [16, 64])
def test_group_norm_of_few_channels(groups):
    _image(lambda m, x: m.norm(x, "group", axes=(1, 2, 3), groups=groups))


def test_batch_norm_in_evaluation():
    """By running statistics, which learn nothing."""

    def make(m, x):
        slots = {"scale": m.weight(64, mean=1.2, variance=0.0), "offset": m.weight(64, variance=0.0)}
        slots["mean"] = m.weight(64, mean=0.3, variance=0.0, trainable=False)
        slots["variance"] = m.weight(64, mean=1.5, variance=0.0, trainable=False)
        return m.norm(x, "batch", axes=(0, 2, 3), **slots)

    _image(make)


def test_batch_norm_in_evaluation_of_statistics_that_nobody_knows():
    m = Maker()
    x = m.input(4, 64)
    y = m.norm(x, "batch", axes=(0,), mean=m.weight(64, law=None), variance=m.weight(64, law=None))
    assert isinstance(run(m.graph(y), {}).values[y], Unknown)


@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm_in_training(affine):
    def make(m, x):
        slots = (
            {"scale": m.weight(64, mean=1.0, variance=0.0), "offset": m.weight(64, variance=0.0)}
            if affine
            else {}
        )
        return m.norm(x, "batch", axes=(0, 2, 3), train=True, **slots)

    _image(make)


def _rectified(shape, window, law, mean, **options):
    m = Maker()
    x = m.input(*shape)
    before = m.convolution(x, shape[1], window, padding=window[0] // 2)
    y = m.norm(before, "batch", axes=(0, 2, 3), train=True)
    after = m.apply("relu", y)
    out = m.reduce(after, "mean", (2, 3)) if mean else after
    agree(m.graph(out), [x, before, y], {x: law}, **options)


def test_batch_norm_before_a_global_mean():
    """Gradients that are the same everywhere go along with rectified values: more of them is taken away."""
    law = InputLaw()
    _rectified((8, 64, 8, 8), (3, 3), law, True)


def test_batch_norm_of_few_places_that_go_together():
    """Where the variance has much chance, what all places have in common is larger than the rest by less."""
    law = InputLaw(position=0.8)
    _rectified((8, 128, 2, 2), (1, 1), law, False)


@pytest.mark.parametrize("function", ["relu", "silu"])
def test_batch_norm_of_what_a_function_made(function):
    """Channels that are mostly off have a variance of their own."""

    def make(m, x):
        return m.apply("relu", m.norm(m.apply(function, x), "batch", axes=(0, 2, 3), train=True))

    _image(make, shape=(12, 48, 10, 10), parameters=0.02)


@pytest.mark.parametrize("examples", [4, 12])
def test_a_large_epsilon_behind_a_function(examples):
    m = Maker()
    x = m.input(examples, 192, 8, 8)
    before = m.apply("relu", m.convolution(x, 192, (1, 1), bias=0.3))
    y = m.norm(before, "batch", axes=(0, 2, 3), train=True, eps=0.2)
    agree(m.graph(m.convolution(y, 64, (1, 1))), [y], {}, parameters=0.03)  # it is a third of the variance


@pytest.mark.parametrize("function", ["relu", "gelu", "tanh"])
def test_batch_norm_of_few_examples_behind_a_function(function):
    """Channels of which hardly an example is on have all chance there is."""
    m = Maker()
    x = m.input(48, 128)
    before = m.apply(function, m.linear(x, 128))
    y = m.norm(before, "batch", axes=(0,), train=True)
    agree(m.graph(m.linear(y, 128)), [y], {}, parameters=0.02)


def test_batch_norm_of_vectors():
    m = Maker()
    x = m.input(16, N)
    before = m.linear(x, N)
    y = m.apply("relu", m.norm(before, "batch", axes=(0,), train=True))
    after = m.linear(y, N)
    agree(m.graph(after), [before, y, after], {x: LAW})


def test_instance_norm():
    _image(lambda m, x: m.norm(x, "instance", axes=(2, 3)))


def test_norm_of_a_norm():
    _between(
        lambda m, x: m.norm(m.norm(x, "layer", axes=(2,), channel=2), "rms", axes=(2,), channel=2),
    )
