import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from fanin.experiments.statistics.improvement import exact_interval, improvement

studies = arrays(
    float,
    st.tuples(st.integers(2, 5), st.integers(1, 12)),
    elements=st.sampled_from([-np.inf, 0.0, 0.25, 1.0, 3.0]),
)


def test_ties_are_half_and_two_failed_runs_are_a_tie():
    probability, _ = improvement(np.array([[3, 2, 5, -np.inf, 1], [1, 2, 6, -np.inf, -np.inf]]))
    assert probability.tolist() == [[0.5, 0.6], [0.4, 0.5]]


@given(studies)
def test_what_one_gains_the_other_loses(goodness):
    probability, interval = improvement(goodness)
    np.testing.assert_allclose(probability + probability.T, 1)
    np.testing.assert_allclose(interval + interval.transpose(1, 0, 2)[..., ::-1], 1, atol=1e-12)


@given(studies, st.randoms())
def test_only_the_order_of_scores_counts(goodness, random):
    seeds = random.sample(range(goodness.shape[1]), goodness.shape[1])
    schemes = random.sample(range(len(goodness)), len(goodness))
    probability, interval = improvement(goodness)
    moved, ends = improvement(np.exp(goodness[schemes][:, seeds]))
    assert (moved == probability[np.ix_(schemes, schemes)]).all()
    assert (ends == interval[np.ix_(schemes, schemes)]).all()


@given(studies)
def test_the_interval_holds_the_estimate(goodness):
    probability, interval = improvement(goodness)
    assert (interval[..., 0] <= probability).all()
    assert (probability <= interval[..., 1]).all()
    assert ((interval >= 0) & (interval <= 1)).all()


@pytest.mark.parametrize("count", [1, 8, 20, 100])
def test_whole_successes_have_clopper_and_pearsons_interval(count):
    wins = np.arange(count + 1)
    scipys = [stats.binomtest(int(k), count).proportion_ci(method="exact") for k in wins]
    np.testing.assert_allclose(exact_interval(wins.astype(float), count), scipys, atol=1e-12)


def test_half_successes_are_between():
    ends = exact_interval(np.arange(0, 8.5, 0.5), 8)
    assert (np.diff(ends[1:, 0]) > 0).all()
    assert (np.diff(ends[:-1, 1]) > 0).all()
    assert ends[0, 0] == 0
    assert ends[-1, 1] == 1
