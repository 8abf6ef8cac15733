"""Products with weights, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree

LAW = InputLaw(mean=0.2, second_moment=1.2, position=0.3, example=0.2)
N = 256


def _alone(make, shape, **options):
    m = Maker()
    x = m.input(*shape)
    y = make(m, x)
    agree(m.graph(y), [x, y], {x: LAW}, **options)


@pytest.mark.parametrize("bias", [None, 0.3])
def test_dense_layer(bias):
    _alone(lambda m, x: m.linear(x, 192, variance=2 / N, bias=bias), (8, N))


def test_dense_layer_at_every_position():
    _alone(lambda m, x: m.linear(x, 192, bias=0.3), (4, 5, N))


@pytest.mark.parametrize(
    ("shape", "equation", "outs"),
    [
        ((4, N), "ab,bz->az", 192),
        ((4, 5, N), "abc,cyz->abyz", (8, 24)),  # heads of a JAX layer
        ((4, 5, 8, 32), "abcd,cdz->abz", 192),  # and back
        ((4, 5, N), "abc,yzc->aybz", (8, 24)),
    ],
)
def test_orders_of_axes(shape, equation, outs):
    _alone(lambda m, x: m.linear(x, outs, equation=equation), shape)


def test_sum_over_positions_too():
    """As a dense layer over a flattened image does."""

    def flattened(m, x):
        y = m.convolution(x, 32, (1, 1))
        return m.linear(m.reshape(y, 4, 32 * 16), 192, bias=0.2)

    _alone(flattened, (4, 64, 4, 4))


def test_bias_of_positions_that_are_channels():
    """A layer at every position of what is flattened has one bias for all of them."""

    def flattened(m, x):
        y = m.linear(x, 96, bias=0.3)
        return m.linear(m.reshape(y, 4, 5 * 96), 192, bias=0.2)

    _alone(flattened, (4, 5, 96))


def test_mixing_of_positions():
    """As the token mixing of an MLP-Mixer: weights between positions, shared by channels."""

    def mixed(m, x):
        y = m.linear(x, 256)
        return m.linear(y, 96, equation="abc,zb->azc")

    _alone(mixed, (4, 64, 256))


def test_positions_made_of_features():
    """As a generator does: a dense layer whose outputs are an image."""

    def image(m, x):
        y = m.reshape(m.linear(x, 64 * 16, bias=0.1), 4, 64, 4, 4)
        return m.convolution(y, 64, (3, 3), padding=1)

    _alone(image, (4, 64))


def test_packed_parts():
    """Slices of one layer's outputs are independent of each other."""

    def packed(m, x):
        y = m.linear(x, 2 * N)
        a, b = m.slice(y, 2, 0, N), m.slice(y, 2, N, 2 * N)
        return m.apply("add", m.apply("multiply", a, b), a)

    _alone(packed, (4, 5, N))


def test_kernel_with_a_mean():
    """A mean of the weights adds the same to all outputs: fan_in mean(w) mean(x)."""
    _alone(lambda m, x: m.linear(x, 192, mean=0.02, variance=1 / N), (4, N))


def test_two_layers_and_what_weights_learn():
    _alone(lambda m, x: m.linear(m.apply("tanh", m.linear(x, N, variance=2 / N, bias=0.1)), N), (8, N))


def test_kernel_that_is_scaled():
    def scaled(m, x):
        kernel = m.apply("multiply", m.weight(192, N, variance=1.0), 1 / 16)
        return m.node("linear", x, kernel, shape=(4, 192), equation="ab,cb->ac")

    _alone(scaled, (4, N))


def test_kernels_of_parts():
    """Gates of different laws, one beside the other."""
    from fanin.graph.signal import Law

    def gates(m, x):
        kernel = m.weight(256, N, variance=2.5 / N, parts=(Law(0, 1 / N), Law(0, 4 / N)))
        y = m.node("linear", x, kernel, shape=(4, 256), equation="ab,cb->ac")
        return m.apply("add", m.slice(y, 1, 0, 128), 0.0), m.apply("add", m.slice(y, 1, 128, 256), 0.0)

    m = Maker()
    x = m.input(4, N)
    one, two = gates(m, x)
    agree(m.graph(one, two), [x, one, two], {x: LAW})


def test_a_bias_of_parts():
    """As that of an LSTM's gates in Keras, of which the forget gate's is 1."""
    from fanin.graph.signal import Law

    m = Maker()
    x = m.input(4, N)
    bias = m.weight(2 * N, mean=0.5, variance=0.25, parts=(Law(0.0, 0.0), Law(1.0, 0.0)))
    kernel = m.weight(2 * N, N, variance=1 / N)
    y = m.node("linear", x, kernel, bias, shape=(4, 2 * N), equation="ab,cb->ac")
    gate, forget = (m.apply("sigmoid", m.slice(y, 1, first, first + N)) for first in (0, N))
    agree(m.graph(m.linear(gate, N), m.linear(forget, N)), [y, gate, forget], {x: LAW})


def test_before_a_mean_over_positions():
    """Inputs of two positions overlap by chance, and where both are on with them."""
    m = Maker()
    x = m.input(4, 96, 32)
    y = m.linear(x, 32, variance=4 / 32, bias=0.0)
    out = m.reduce(m.apply("gelu", y), "mean", (1,))
    agree(m.graph(out), [])
