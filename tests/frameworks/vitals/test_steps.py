"""Tiny steps tell zeros that unlock from those that are stuck."""

import numpy as np

from fanin.frameworks.vitals.steps import unlocked

X = np.random.default_rng(0).normal(size=(10, 4)).astype("float32")


def product(values):
    """Return the gradients of mean((x a b - 1)^2) with respect to a and b."""
    a, b = values
    error = 2 * (X @ a @ b - 1) / len(X)
    return [X.T @ error @ b.T, (X @ a).T @ error]


def test_a_factor_of_zeros_unlocks():
    values = [np.ones((4, 2), "float32"), np.zeros((2, 3), "float32")]
    assert unlocked(values, product(values), product) == [(1.0, 0.0), (0.0, 0.0)]
    assert not values[1].any()


def test_two_factors_of_zeros_are_stuck():
    values = [np.zeros((4, 2), "float32"), np.zeros((2, 3), "float32")]
    assert unlocked(values, product(values), product) == [(1.0,) * 4, (1.0,) * 4]


def test_no_step_where_none_is_needed():
    values = [np.ones((4, 2), "float32"), np.ones((2, 3), "float32")]
    assert unlocked(values, product(values), None) == [(0.0,), (0.0,)]


def test_what_is_not_reached_asks_for_no_step():
    values = [np.ones((4, 2), "float32"), np.ones((2, 3), "float32"), np.ones(2, "float32")]
    assert unlocked(values, [*product(values[:2]), None], None) == [(0.0,), (0.0,), (1.0,)]
