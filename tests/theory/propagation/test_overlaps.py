"""What places have in common by chance, against networks."""

import numpy as np
import pytest

from fanin.theory.propagation.inputs import InputLaw
from fanin.theory.propagation.overlaps import overlap
from fanin.theory.propagation.run import run
from theory.propagation.graphs import Maker

WIDTH, T, DRAWS = 128, 16, 400


def _by_chance(values):
    """Return the variance of (x_a - x_b) . (x_c - x_d) / 4 n over (1 - c)^2 q^2, of different places."""
    differences = values[:, 0::2] - values[:, 1::2]
    products = differences @ differences.swapaxes(-1, -2) / values.shape[-1]
    own = np.trace(products, axis1=1, axis2=2).mean() / (T // 2) / 2
    return np.mean(products[:, ~np.eye(T // 2, dtype=bool)] ** 2) / 4 / own**2


def _networks(layers):
    """Return values of all layers, x + W f(x) or W f(x) for each f, of random networks."""
    random = np.random.default_rng(0)
    x = random.standard_normal((DRAWS, T, WIDTH))
    found = []
    for function, residual in layers:
        weights = random.standard_normal((DRAWS, WIDTH, WIDTH)) / np.sqrt(WIDTH)
        y = function(x) @ weights
        x = x + y if residual else y
        found.append(_by_chance(x))
    return found


def _predicted(layers):
    m = Maker()
    x = m.input(4, T, WIDTH)
    names = []
    for name, residual in layers:
        y = m.linear(m.apply(name, x) if name else x, WIDTH)
        x = m.apply("add", x, y) if residual else y
        names.append(x)
    found = run(m.graph(x), {})
    return [overlap(found.values[name]) for name in names]


@pytest.mark.parametrize(
    ("name", "function"), [("", lambda x: x), ("relu", lambda x: np.maximum(x, 0)), ("tanh", np.tanh)]
)
@pytest.mark.parametrize("residual", [False, True], ids=["chain", "stream"])
def test_depth(name, function, residual):
    depth = 4
    found = _predicted([(name, residual)] * depth)
    truth = _networks([(function, residual)] * depth)
    assert found == pytest.approx(truth, rel=0.1)


def test_equal_tokens_have_everything_in_common():
    words = 50
    m = Maker()
    x = m.embedding(m.tokens(4, T), m.weight(words, WIDTH))
    random = np.random.default_rng(0)
    tables = random.standard_normal((DRAWS, words, WIDTH))
    values = np.stack([table[random.integers(0, words, T)] for table in tables])
    found = run(m.graph(x), {x: InputLaw(tokens=True) for x in ("input_0",)}).values[x]
    assert overlap(found) == pytest.approx(_by_chance(values), rel=0.1)
