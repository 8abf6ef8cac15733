"""Values as functions of normal populations, whose moments are exact."""

import numpy as np
import pytest

from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.root import Root
from fanin.theory.propagation.signal import STILL
from theory.propagation.populations import SIZES, population


def _silu(x):
    return x / (1 + np.exp(-x))


def _exact(made, function, slope, **options):
    chain = Chain(Root(made), STILL, function, slope(made), **options)
    return chain, chain.exact(function(made))


def _silu_slope(x):
    gate = 1 / (1 + np.exp(-x))
    return gate * (1 + x * (1 - gate))


def test_exact_populations():
    """Means over rows become the integrals, of values and of slopes; values change by little."""
    made = population()
    chain, (found, values, factor) = _exact(made, _silu, _silu_slope)
    wanted = [chain.second_moments(0.0)[0], np.mean(found.slope**2)]
    assert np.mean(values**2) == pytest.approx(wanted[0], rel=1e-12)
    many = np.random.default_rng(1).standard_normal((4_000_000, 1, 1)) * np.sqrt(SIZES)
    assert wanted == pytest.approx([np.mean(_silu(many) ** 2), np.mean(_silu_slope(many) ** 2)], rel=2e-3)
    assert found.slope == pytest.approx(_silu_slope(made) * factor)
    assert values == pytest.approx(_silu(made), rel=1e-3)


def test_other_roots():
    """A root that is larger leads to what a larger population would have."""
    made = population()
    chain, _ = _exact(made, _silu, _silu_slope)
    more, same = chain.second_moments(0.44, 0.0)
    larger, _ = _exact(1.2 * made, _silu, _silu_slope)
    assert more == pytest.approx(larger.second_moments(0.0)[0], rel=1e-12)
    assert more > same
    assert more == pytest.approx(np.mean(chain.scaled(0.44) ** 2), rel=1e-4)


@pytest.mark.parametrize(
    ("function", "slope", "options"),
    [
        (lambda x: x + np.linspace(0, 1, 3), np.ones_like, {"alike": False}),  # places differ
        (np.round, np.ones_like, {}),  # a gradient that goes straight through
        (lambda x: np.exp(3 * x), lambda x: 3 * np.exp(3 * x), {}),  # tails that few rows have
    ],
    ids=["places", "straight through", "tails"],
)
def test_rows_that_stay_what_they_are(function, slope, options):
    made = population()
    _, (found, values, factor) = _exact(made, function, slope, **options)
    assert np.array_equal(found.slope, slope(made))
    assert np.all(np.asarray(factor) == 1)
    assert values == pytest.approx(function(made), rel=1e-3)


def test_affine():
    made = population()
    chain = Chain.of(made, STILL).affine(-2.0, 1.0)
    assert chain.function(made) == pytest.approx(1 - 2 * made)
    assert chain.slope.item() == -2.0
