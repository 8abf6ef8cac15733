import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from fanin.experiments.statistics import aggregate
from fanin.experiments.statistics.aggregate import iqm, iqm_interval

INF = np.inf
scores = arrays(float, st.integers(8, 30), elements=st.integers(-50, 50).map(float))


def scipys(values, confidence):
    def middle(x, axis):
        return stats.trim_mean(x, 0.25, axis=axis)

    rng = np.random.default_rng(1)
    drawn = stats.bootstrap(
        (values,), middle, confidence_level=confidence, method="BCa", n_resamples=20_000, batch=1000, rng=rng
    )
    return drawn.confidence_interval


@pytest.mark.parametrize(
    ("values", "middle"),
    [
        ([7], 7),
        ([1, 2, 6], 3),
        ([0, 1, 2, 9], 1.5),
        ([0, 1, 2, 3, 100], 2),
        ([-INF, 1, 2, 9], 1.5),
        ([-INF, -INF, 2, 9], -INF),
        ([-INF, 1, 2], -INF),
        ([-INF] * 8, -INF),
    ],
)
def test_the_best_and_the_worst_quarter_do_not_count(values, middle):
    assert iqm(np.array(values, float)) == middle


@given(scores, st.randoms())
def test_the_order_of_seeds_changes_no_bit(values, random):
    values = values / 7
    shuffled = np.array(random.sample(values.tolist(), len(values)))
    assert iqm(values) == iqm(shuffled)
    assert (iqm_interval(values) == iqm_interval(shuffled)).all()


@given(scores, st.floats(1e-6, 1e6), st.floats(-10, 10))
def test_units_do_not_matter(values, scale, shift):
    expected = scale * np.append(iqm_interval(values), iqm(values)) + scale * shift
    moved = scale * (values + shift)
    found = np.append(iqm_interval(moved), iqm(moved))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * scale * 50)


@given(scores)
def test_an_interval_is_within_the_scores_and_around_the_middle(values):
    low, high = iqm_interval(values)
    assert values.min() - 1e-9 <= low <= iqm(values) + 1e-9
    assert iqm(values) - 1e-9 <= high <= values.max() + 1e-9


@pytest.mark.parametrize("value", [0.926, 0.1, 1 / 3, 0.0, -1e9])
@pytest.mark.parametrize("seeds", [8, 37])
def test_equal_scores_have_an_interval_of_no_width(value, seeds):
    assert iqm_interval(np.full(seeds, value)).tolist() == [value, value]


@pytest.mark.parametrize("seeds", [8, 21, 50])
@pytest.mark.parametrize("kind", ["normal", "exponential", "standard_cauchy"])
def test_scipys_bca_agrees_up_to_its_own_resamples(seeds, kind, monkeypatch):
    monkeypatch.setattr(aggregate, "RESAMPLES", 20_000)
    values = getattr(np.random.default_rng(seeds), kind)(size=seeds)
    low, high = iqm_interval(values)
    narrow, wide = scipys(values, 0.93), scipys(values, 0.97)
    assert wide.low <= low <= narrow.low
    assert narrow.high <= high <= wide.high


def test_many_schemes_at_once_are_each_by_itself():
    values = np.random.default_rng(0).normal(size=(3, 2, 20))
    each = [[iqm_interval(row) for row in rows] for rows in values]
    np.testing.assert_allclose(iqm_interval(values), each, rtol=1e-12)


def test_more_confidence_is_wider():
    values = np.random.default_rng(0).normal(size=20)
    ends = np.array([iqm_interval(values, confidence=level) for level in (0.5, 0.9, 0.99)])
    assert (np.diff(ends[:, 0]) < 0).all()
    assert (np.diff(ends[:, 1]) > 0).all()


@given(st.integers(0, 10), st.integers(0, 2**32 - 1))
def test_an_interval_that_is_told_does_not_depend_on_what_a_failed_run_would_have_scored(count, seed):
    values = np.random.default_rng(seed).exponential(size=40)
    lost, low, lower = (np.concatenate([values[count:], [end] * count]) for end in (-INF, -1e3, -1e6))
    told = iqm_interval(lost)
    if np.isfinite(told).all():
        np.testing.assert_allclose(iqm_interval(low), told, rtol=1e-6)
        np.testing.assert_allclose(iqm_interval(lower), told, rtol=1e-6)
    else:
        assert np.isnan(told).all()
        assert abs(iqm_interval(low) - iqm_interval(lower)).max() > 1


def test_an_interval_is_told_until_failures_reach_it():
    values = np.random.default_rng(0).normal(size=20)
    told = [np.isfinite(iqm_interval(np.append(values[n:], [-INF] * n))).all() for n in range(21)]
    assert told == [True] * 3 + [False] * 18


def test_a_wild_run_does_not_blur_the_interval():
    values = np.random.default_rng(0).normal(size=20)
    values[0] = -1e3
    wilder = np.append(values[1:], -1e15)
    np.testing.assert_allclose(iqm_interval(values), iqm_interval(wilder), rtol=1e-9)


def test_nothing_is_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        iqm_interval(np.array([[0.5] * 8, [-INF] * 8, [-INF, *range(7)], list(range(8))], float))
