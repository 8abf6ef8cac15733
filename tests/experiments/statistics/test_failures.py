import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from fanin.experiments.statistics.failures import failed, failure_interval, paired_differences

NAN, INF = np.nan, np.inf
pairs = arrays(float, st.tuples(st.just(2), st.integers(1, 12)), elements=st.sampled_from([-INF, 0, 1, 2, 5]))


@pytest.mark.parametrize(
    ("loss", "score", "lost"),
    [
        ([0.7, 0.3], 0.9, False),
        ([0.7, NAN, 0.3], 0.9, True),
        ([INF, 0.3], 0.9, True),
        ([0.7, 0.3], NAN, True),
        ([0.7, 0.3], INF, True),
        ([0.7, 7.0], 0.5, False),
        ([0.7, 7.1], 0.5, True),
        ([0.7, 90.0, 0.6], 0.9, False),
        ([-1.0, 50.0], 0.9, False),
        ([0.0, 50.0], 0.9, False),
        ([1e308, 1.7e308], 0.9, False),
        ([1e-3], 0.9, False),
    ],
)
def test_what_a_failure_is(loss, score, lost):
    assert failed(np.array([loss]), np.array([score])).tolist() == [lost]


@pytest.mark.parametrize(("count", "runs"), [(0, 1), (0, 20), (3, 20), (20, 20), (50, 100)])
def test_wilsons_interval_is_the_closed_form(count, runs):
    z, rate = stats.norm.ppf(0.975), count / runs
    center = (rate + z**2 / (2 * runs)) / (1 + z**2 / runs)
    half = z / (1 + z**2 / runs) * np.sqrt(rate * (1 - rate) / runs + z**2 / (4 * runs**2))
    assert failure_interval(count, runs) == pytest.approx((center - half, center + half), abs=1e-12)


@pytest.mark.parametrize(
    ("first", "second", "differences"),
    [
        ([3, 1], [2, 2], [1, -1]),
        ([3, -INF], [2, 2], [1, 0]),
        ([3, -INF], [2, 5], [1, -3]),
        ([3, -INF], [2, -INF], [1, 0]),
        ([-INF, -INF], [2, 4], [0, -2]),
        ([1, 1], [1, -INF], [0, 2]),
        ([-INF], [-INF], [0]),
    ],
)
def test_a_failed_run_is_as_bad_as_the_worst_of_the_two_schemes(first, second, differences):
    found = paired_differences(np.array(first, float), np.array(second, float))
    assert found.tolist() == differences


@given(pairs, st.randoms())
def test_pairs_can_change_places(scores, random):
    first, second = scores
    found = paired_differences(first, second)
    assert (paired_differences(second, first) == -found).all()
    swapped = np.array([random.random() < 0.5 for _ in first])
    one, other = np.where(swapped, second, first), np.where(swapped, first, second)
    assert (paired_differences(one, other) == np.where(swapped, -found, found)).all()


@given(pairs)
def test_a_failure_is_never_ahead_and_nothing_is_lost(scores):
    found = paired_differences(*scores)
    assert np.isfinite(found).all()
    assert (found[np.isneginf(scores[0])] <= 0).all()
    assert (found[np.isneginf(scores).all(axis=0)] == 0).all()


def test_studies_side_by_side_do_not_mix():
    scores = np.where(
        np.random.default_rng(0).random((2, 5, 8)) < 0.2, -INF, np.arange(80.0).reshape(2, 5, 8)
    )
    each = [paired_differences(first, second) for first, second in zip(*scores, strict=True)]
    assert (paired_differences(*scores) == each).all()
