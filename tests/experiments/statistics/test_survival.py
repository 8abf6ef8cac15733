import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fanin.experiments.statistics.survival import (
    Times,
    holm,
    kaplan_meier,
    logrank,
    reach_interval,
    times_to,
)

LAST = 7
waits = st.lists(st.integers(1, LAST + 1), min_size=1, max_size=80).map(np.array)


def times(epochs, last=LAST):
    """Return times to target; later than the last epoch is never."""
    epochs = np.asarray(epochs)
    return Times(np.minimum(epochs, last), epochs <= last, last)


def test_the_first_epoch_counts_and_a_failed_run_never_gets_there():
    hits = np.array([[0, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 1]], bool)
    found = times_to(hits, np.array([False, True, False, False]))
    assert found.epoch.tolist() == [2, 3, 3, 3]
    assert found.reached.tolist() == [True, False, False, True]
    assert found.last == 3


@given(waits)
def test_scipys_estimate_agrees(epochs):
    own = times(epochs)
    scipys = stats.ecdf(own.censored()).cdf.evaluate(np.arange(LAST + 1))
    np.testing.assert_allclose(kaplan_meier(own), scipys, atol=1e-12)


@given(waits)
def test_the_median_is_the_epoch_by_which_half_got_there(epochs):
    half = next((epoch for epoch in range(1, LAST + 1) if 2 * (epochs <= epoch).sum() >= len(epochs)), None)
    assert times(epochs).median() == half


def test_a_half_is_not_missed_by_rounding():
    # The product-limit estimate in floating point is .4999... here.
    epochs = np.repeat([1, 2, 3, 4, 5, 8], [5, 6, 4, 5, 9, 29])
    own = times(epochs)
    assert stats.ecdf(own.censored()).cdf.evaluate([5])[0] < 0.5
    assert own.median() == 5


@given(waits)
def test_the_band_is_exact_at_each_epoch(epochs):
    ends = reach_interval(times(epochs))
    assert ends[0].tolist() == [0, 0]
    for epoch in range(1, LAST + 1):
        count = int((epochs <= epoch).sum())
        exact = stats.binomtest(count, len(epochs)).proportion_ci(method="exact")
        assert ends[epoch] == pytest.approx(tuple(exact), abs=1e-9)
    assert (np.diff(ends, axis=0) >= -1e-12).all()


@pytest.mark.parametrize("seed", range(5))
def test_logrank_by_mantels_sums(seed):
    rng = np.random.default_rng(seed)
    first, second = (times(rng.geometric(chance, 12)) for chance in (0.15, 0.3))
    excess = variance = 0.0
    for epoch in range(1, LAST + 1):
        a, b = ((each.epoch >= epoch).sum() for each in (first, second))
        x, y = ((each.reached & (each.epoch == epoch)).sum() for each in (first, second))
        n, hits = a + b, x + y
        if n > 1:
            excess += x - hits * a / n
            variance += hits * a * b * (n - hits) / (n**2 * (n - 1))
    expected = 2 * stats.norm.sf(abs(excess) / np.sqrt(variance))
    assert logrank(first, second) == pytest.approx(expected)


@given(waits, waits)
def test_logrank_is_symmetric_and_never_nan(first, second):
    p = logrank(times(first), times(second))
    assert 0 <= p <= 1
    assert logrank(times(second), times(first)) == pytest.approx(p)


@pytest.mark.parametrize("epoch", [1, 3, LAST, LAST + 1])
def test_curves_that_cannot_differ_are_not_told_apart(epoch):
    assert logrank(times([epoch] * 8), times([epoch] * 8)) == 1


def test_all_against_none_are_told_apart():
    assert logrank(times([1] * 8), times([LAST + 1] * 8)) < 0.001


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.5], [1, 1]),
        ([0.001, 0.01, 0.02, 0.04], [0.004, 0.03, 0.04, 0.04]),
    ],
)
def test_holm_by_hand(p, adjusted):
    assert holm(p) == pytest.approx(adjusted)


@given(st.lists(st.floats(0, 1), max_size=8), st.randoms())
def test_holm_is_between_nothing_and_bonferroni_and_keeps_the_order(p, random):
    adjusted = np.array(holm(p))
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(len(p) * np.array(p), 1) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
    shuffled = random.sample(range(len(p)), len(p))
    assert holm([p[place] for place in shuffled]) == adjusted[shuffled].tolist()
