"""Second derivatives, against some that are known."""

import numpy as np
import pytest

from fanin.theory.propagation.cotangent import Cotangent, Curvature, Part
from fanin.theory.propagation.covariance import joined, normal
from fanin.theory.propagation.curvature import curvature, gained
from fanin.theory.propagation.draws import Normals
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.signal import Signal

Q, N = 1.7, 8
ALL = np.ones((2, 2, 2, 2))


def _values(c, apart=0.2):
    """Return a population of normal values: E[x x'] = c Q at two positions, apart Q in two examples."""
    same = np.array([[1.0, c], [c, 1.0]])
    wanted = joined(Q * same, np.full((2, 2), Q * apart))
    return Signal(normal(Normals(1 << 11, 1), wanted), Places((10,), 2), N, 4)


def _found(part, y):
    found = curvature(Cotangent((part,)), y)
    assert found is not None
    return found


@pytest.mark.parametrize("c", [0.0, 0.4, 0.9])
def test_a_slope_without_a_derivative(c):
    """Of ReLU: E[delta(y) delta(y')], the density at 0."""
    y = _values(c)
    found = _found(Part(np.where(y.values > 0, 1.0, 0.0), 3 * ALL), y)
    density = [1 / (2 * np.pi * Q * np.sqrt(1 - correlation**2)) for correlation in (c, 0.2)]
    assert found.products[0, 0, 0, 1] == pytest.approx(3 * density[0], rel=0.04)
    assert found.products[0, 0, 1, 1] == pytest.approx(3 * density[1], rel=0.02)
    assert found.traces[0, 0, 0, 1] == pytest.approx(3 * N * (1 - c**2) * density[0], rel=0.04)
    assert np.einsum("abab->ab", found.products) == pytest.approx(0.0)


def test_a_smooth_slope():
    y = _values(0.4)
    t = np.tanh(y.values)
    found = _found(Part(1 - t**2, ALL), y)
    second = -2 * t * (1 - t**2)
    assert found.products[0, 0, 0, 1] == pytest.approx(np.mean(second[:, 0, 0] * second[:, 0, 1]), rel=0.03)


def test_what_is_behind_a_function():
    y = _values(0.4)
    mask = np.where(y.values > 0, 1.0, 0.0)
    before = _found(Part(mask, 2 * ALL), y)
    found = _found(Part(mask, 2 * ALL, curvature=Curvature(5 * ALL, 7 * ALL)), y)
    both = np.mean(mask[:, 0, 0] * mask[:, 0, 1])
    more = found.products[0, 0, 0, 1] - before.products[0, 0, 0, 1]
    assert more == pytest.approx(5 * both**2, rel=0.02)
    assert found.traces[0, 0, 0, 1] - before.traces[0, 0, 0, 1] == pytest.approx(7 / 4, rel=0.02)


@pytest.mark.parametrize(
    "part",
    [
        Part(np.full((1, 1, 1), 3.0), ALL),
        Part(_values(0.4).values, ALL, known=True),
        Part(_values(0.4).values, joined(np.eye(2), np.zeros((2, 2)))),
    ],
    ids=["all the same", "a given population", "independent places"],
)
def test_what_does_not_go_with_values(part):
    assert curvature(Cotangent((part,)), _values(0.4)) is None


def test_of_a_sum():
    one, other = Curvature(ALL, 2 * ALL), Curvature(3 * ALL, 4 * ALL)
    total = one.plus(other.times(2.0, 0.5))
    assert (total.products == 7).all()
    assert (total.traces == 4).all()
    parts = tuple(Part(np.full((1, 1, 1), 2.0), ALL, curvature=each) for each in (one, other))
    (part,) = Cotangent(parts).settled().parts
    assert part.curvature is not None
    # The slope's square twice: of the second derivatives, and of those at the other place.
    assert (part.curvature.products == 16 * 4).all()


def test_what_is_gained():
    products = joined(np.array([[2.0, 0.5], [0.5, 2.0]]), np.full((2, 2), 0.5))
    assert gained(None, products, 3.0, 0.1) == 0.0
    found = gained(Curvature(ALL, ALL), products, 3.0, 0.1)
    assert isinstance(found, np.ndarray)
    assert found[0, 0, 0, 1] == pytest.approx(3.0 * 0.1 * 1.5**2)
