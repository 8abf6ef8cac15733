"""Other shapes of the same values, against simulations."""

import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.run import run
from fanin.theory.propagation.signal import Kernel
from theory.propagation.graphs import Maker
from theory.propagation.simulation import around

LAW = InputLaw(mean=0.2, second_moment=1.2, position=0.3, example=0.2)
N = 256


def _around(make, **options):
    around(make, (4, 6, N), LAW, **options)


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


def test_reshaped_kernel():
    m = Maker()
    y = m.reshape(m.weight(4, 6, variance=2.0), 24)
    found = run(m.graph(y), {}).values[y]
    assert isinstance(found, Kernel)
    assert found.shape == (24,)
    assert found.law.variance == 2.0
