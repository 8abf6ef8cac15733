"""How gradients go with values, against derivatives that are known."""

import numpy as np
import pytest

from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import joined, normal
from fanin.theory.propagation.draws import Normals
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.responses import gained, response
from fanin.theory.propagation.signal import Signal

Q = 1.7
ALL = np.ones((2, 2, 2, 2))


def _values(c, apart=0.2):
    """Return a population of normal values: E[x x'] = c Q at two positions, apart Q in two examples."""
    same = np.array([[1.0, c], [c, 1.0]])
    wanted = joined(Q * same, np.full((2, 2), Q * apart))
    return Signal(normal(Normals(1 << 13, 1), wanted), Places((10,), 2), 8, 4)


@pytest.mark.parametrize("c", [0.0, 0.4, 0.9])
def test_a_slope_without_a_derivative(c):
    """Of ReLU: E[delta(y) delta(y')], the density at 0."""
    y = _values(c)
    found = response(Cotangent((Part(np.where(y.values > 0, 1.0, 0.0), 3 * ALL),)), y)
    assert found is not None
    assert found[0, 0, 0, 1] == pytest.approx(3 / (2 * np.pi * Q * np.sqrt(1 - c**2)), rel=0.02)
    assert found[0, 0, 1, 1] == pytest.approx(3 / (2 * np.pi * Q * np.sqrt(1 - 0.2**2)), rel=0.02)
    assert np.einsum("abab->ab", found) == pytest.approx(0.0)


def test_a_smooth_slope():
    y = _values(0.4)
    t = np.tanh(y.values)
    found = response(Cotangent((Part(1 - t**2, ALL),)), y)
    second = -2 * t * (1 - t**2)
    assert found is not None
    assert found[0, 0, 0, 1] == pytest.approx(np.mean(second[:, 0, 0] * second[:, 0, 1]), rel=0.03)


def test_two_layers():
    """Behind a function with the slope s, K_u = f(K): dG/dK = G_u dE[s s']/dK + E[s s'] dG_u/dK_u E[s s']."""
    y = _values(0.4)
    mask = np.where(y.values > 0, 1.0, 0.0)
    found = response(Cotangent((Part(mask, 2 * ALL, bent=5 * ALL),)), y)
    both = np.mean(mask[:, 0, 0] * mask[:, 0, 1])
    assert found is not None
    assert found[0, 0, 0, 1] == pytest.approx(
        2 / (2 * np.pi * Q * np.sqrt(1 - 0.4**2)) + 5 * both**2, rel=0.02
    )


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
    assert response(Cotangent((part,)), _values(0.4)) is None


def test_what_is_gained():
    products = joined(np.array([[2.0, 0.5], [0.5, 2.0]]), np.full((2, 2), 0.5))
    assert gained(None, products, 3.0, 0.1) == 0.0
    found = gained(ALL, products, 3.0, 0.1)
    assert isinstance(found, np.ndarray)
    assert found[0, 0, 0, 1] == pytest.approx(3.0 * 0.1 * 1.5**2)
