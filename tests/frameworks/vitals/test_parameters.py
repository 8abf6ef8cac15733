"""Parameters that hold the same random values have the same digest."""

import numpy as np

from fanin.frameworks.vitals.parameters import Held, parameters_of

RANDOM = np.random.default_rng(0)


def test_equal_random_values():
    drawn = RANDOM.normal(size=(8, 8)).astype("float32")
    held = [
        Held("a", "", drawn),
        Held("b", "", drawn.copy()),
        Held("c", "", drawn[::-1]),
        Held("d", "", np.eye(8, dtype="float32")),
        Held("e", "", np.eye(8, dtype="float32")),
        Held("f", "", np.ones((8, 8), "float32")),
    ]
    assert [one.digest for one in parameters_of(held)] == ["a", "a", "", "", "", ""]


def test_gradients():
    value, gradient = np.ones((2, 2), "float32"), np.full((2, 2), 3.0, "float32")
    one, other = parameters_of([Held("a", "l", value, True, gradient, (0.0,)), Held("b", "l", value, False)])
    assert (one.gradient, one.zero, one.layer) == (3.0, (0.0,), "l")
    assert (other.gradient, other.trained) == (None, False)
