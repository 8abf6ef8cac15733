"""Joined values, against simulations."""

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Unknown
from theory.propagation.graphs import Maker
from theory.propagation.simulation import agree, around

LAW = InputLaw(mean=0.2, second_moment=1.2, position=0.3, example=0.2)
N = 256


def _around(make, **options):
    around(make, (4, 6, N), LAW, **options)


def test_channels_beside_each_other():
    def beside(m, x):
        return m.concat(m.linear(x, 64, variance=2 / N), m.apply("relu", x), axis=2)

    _around(beside)


def test_an_image_beside_what_forgot_its_borders():
    """As a decoder joins what was padded and what was upsampled."""
    m = Maker()
    x = m.input(3, 48, 6, 6)
    padded = m.apply("tanh", m.convolution(x, 64, (3, 3), padding=1))
    mixed = m.linear(m.reshape(x, 3, 48, 36), 36, equation="bcp,qp->bcq")
    y = m.concat(padded, m.reshape(mixed, 3, 48, 6, 6), axis=1)
    after = m.convolution(y, 64, (1, 1))
    agree(m.graph(after), [padded, mixed, y, after], {x: LAW})


def test_the_same_beside_itself():
    """As CReLU: relu(x) and relu(-x)."""
    _around(
        lambda m, x: m.concat(m.apply("relu", x), m.apply("relu", m.apply("negative", x)), axis=2),
    )


def test_dense_connections():
    def dense(m, x):
        for _ in range(2):
            x = m.concat(x, m.linear(m.apply("relu", x), 64, variance=2 / N), axis=2)
        return x

    _around(dense)


def test_positions_after_each_other():
    def after(m, x):
        return m.concat(m.linear(x, N, variance=2 / N), x, axis=1)

    _around(after)


def test_class_token_and_table_of_positions():
    """As in a vision transformer: a token of weights, then patches, then a table for all."""

    def patches(m, x):
        token = m.broadcast(m.weight(1, 1, N, variance=0.5), 4, 1, N, axes=(0, 1, 2))
        whole = m.concat(token, x, axis=1)
        return m.apply("add", whole, m.weight(7, N, variance=0.3))

    _around(patches)


def test_kernel_of_unknown_law_in_a_concat():
    m = Maker()
    y = m.concat(m.weight(4, 4), m.weight(4, 4, law=None), axis=0)
    found = run(m.graph(y), {}).values[y]
    assert isinstance(found, Unknown)
