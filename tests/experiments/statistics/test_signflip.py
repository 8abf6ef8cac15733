import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from fanin.experiments.statistics.signflip import max_t

studies = arrays(
    float,
    st.tuples(st.integers(2, 4), st.integers(2, 9)),
    elements=st.integers(-20, 20).map(float) | st.just(-np.inf),
)
MANY = settings(max_examples=50)


@pytest.mark.parametrize(
    ("better", "p"),
    [([1], 1), ([1, 1], 0.5), ([1, 1, 1], 0.25), ([1, 1, 1, -1], 0.625), ([1] * 8, 2**-7), ([0] * 8, 1)],
)
def test_two_schemes_by_hand(better, p):
    tests = max_t(np.array([better, [0] * len(better)], float))
    assert tests.p_adjusted.tolist() == [[1, p], [p, 1]]
    assert tests.difference[0, 1] == pytest.approx(np.mean(better))


def test_the_largest_of_the_family_by_hand():
    # Against c, a is better by 1, 1, 1, 1 and b by 1, 1, 1, -1. Of 8 patterns, one gives a its |r| = 1 and
    # another one b; and under each of them one of the two has at least the 1/2 that b has.
    tests = max_t(np.array([[1, 1, 1, 1], [1, 1, 1, -1], [0, 0, 0, 0]], float))
    assert tests.p_adjusted[:, 2].tolist() == [2 / 8, 1, 1]
    assert tests.statistic[0, 2] == np.inf
    assert tests.statistic[1, 2] == pytest.approx(1)


@pytest.mark.parametrize("seeds", [5, 8, 12])
@pytest.mark.parametrize("kind", ["normal", "exponential", "poisson"])
def test_scipys_permutation_test_agrees_on_one_pair(seeds, kind):
    goodness = getattr(np.random.default_rng(seeds), kind)(size=(2, seeds)).astype(float)

    def studentized(x, y, axis):
        d = x - y
        with np.errstate(divide="ignore", invalid="ignore"):
            t = d.mean(axis=axis) * np.sqrt(seeds) / d.std(axis=axis, ddof=1)
        return np.abs(np.nan_to_num(t))

    scipys = stats.permutation_test(
        tuple(goodness), studentized, permutation_type="samples", vectorized=True, alternative="greater"
    )
    tests = max_t(goodness)
    assert tests.p_adjusted[0, 1] == pytest.approx(scipys.pvalue, abs=1e-12)
    assert tests.statistic[0, 1] == pytest.approx(stats.ttest_rel(*goodness).statistic)


def test_drawn_patterns_agree_with_all_patterns():
    goodness = np.random.default_rng(3).normal(np.array([[0], [0.5], [0.7], [0.9]]), size=(4, 14))
    every, some = max_t(goodness).p_adjusted, max_t(goodness, flips=8190).p_adjusted
    assert (every != some).any()
    np.testing.assert_allclose(some, every, atol=4 * math.sqrt(0.25 / 8190))


@pytest.mark.parametrize("seeds", [15, 40])
def test_with_drawn_patterns_no_p_is_zero(seeds):
    assert max_t(np.array([[1.0] * seeds, [0.0] * seeds]), flips=99).p_adjusted[0, 1] == 0.01
    assert max_t(np.array([[1.0] * 40, [0.0] * 40])).p_adjusted[0, 1] == 1 / 10_000


@MANY
@given(studies)
def test_matrices_are_antisymmetric_and_p_is_a_share(goodness):
    tests = max_t(goodness)
    assert (tests.difference == -tests.difference.T).all()
    assert (tests.statistic == -tests.statistic.T).all()
    assert ((tests.p_adjusted >= 2.0 ** (1 - goodness.shape[1])) & (tests.p_adjusted <= 1)).all()
    assert (np.diag(tests.p_adjusted) == 1).all()
    assert (np.sign(tests.statistic) == np.sign(tests.difference)).all()


@MANY
@given(studies)
def test_correction_only_raises_p_and_a_family_of_one_needs_none(goodness):
    whole = max_t(goodness).p_adjusted
    for a in range(len(goodness)):
        for b in range(a):
            pair = max_t(goodness[[a, b]]).p_adjusted
            assert pair[0, 1] == pair[1, 0]
            assert whole[a, b] >= pair[0, 1]
            assert whole[b, a] >= pair[0, 1]


@MANY
@given(studies, st.randoms())
def test_schemes_and_seeds_have_no_order(goodness, random):
    schemes = random.sample(range(len(goodness)), len(goodness))
    seeds = random.sample(range(goodness.shape[1]), goodness.shape[1])
    before, after = max_t(goodness), max_t(goodness[schemes][:, seeds])
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other, one[np.ix_(schemes, schemes)], atol=1e-9)


@MANY
@given(studies, st.sampled_from([1e-6, 0.5, 3.0, 1e6]), st.integers(-100, 100))
def test_units_do_not_matter_and_signs_mirror(goodness, scale, shift):
    before = max_t(goodness).p_adjusted
    np.testing.assert_allclose(max_t(scale * (goodness + shift)).p_adjusted, before)
    if np.isfinite(goodness).all():
        np.testing.assert_allclose(max_t(-goodness).p_adjusted, before)


@MANY
@given(studies, st.lists(st.integers(-9, 9), min_size=9, max_size=9))
def test_what_a_seed_does_to_all_schemes_cancels(goodness, luck):
    moved = np.where(np.isfinite(goodness), goodness + np.array(luck)[: goodness.shape[1]], -np.inf)
    if np.isfinite(goodness).all():
        np.testing.assert_allclose(max_t(moved).p_adjusted, max_t(goodness).p_adjusted)


def test_studies_side_by_side_are_each_by_itself():
    goodness = np.random.default_rng(0).normal(size=(2, 3, 4, 8))
    goodness[0, 0, 0, 0] = -np.inf
    together = max_t(goodness)
    for place in np.ndindex(2, 3):
        for array, alone in zip(together, max_t(goodness[place]), strict=True):
            np.testing.assert_allclose(array[place], alone, atol=1e-12)


@MANY
@given(st.lists(st.integers(-99, 99), min_size=2, max_size=30), st.randoms())
def test_rounding_makes_no_scheme_a_leader(values, random):
    scores = np.array(values) / 70
    shuffled = np.array(random.sample(scores.tolist(), len(scores)))
    assert max_t(np.stack([scores, shuffled]), flips=99).statistic[0, 1] == 0


def test_one_scheme_has_nothing_to_be_tested_against():
    tests = max_t(np.arange(8.0)[None])
    assert tests.p_adjusted.tolist() == [[1]]


def test_a_third_scheme_that_ends_terribly_does_not_hide_a_difference():
    rng = np.random.default_rng(0)
    loss = np.stack([0.3 + 0.01 * rng.random(20), 0.4 + 0.01 * rng.random(20), 500 + rng.random(20)])
    goodness = -loss
    goodness[1, :2] = -np.inf
    tests = max_t(goodness)
    assert tests.p_adjusted[0, 1] == 1 / 10_000
    assert tests.statistic[0, 1] == max_t(goodness[:2]).statistic[0, 1]


def test_failing_is_worse_even_where_all_that_finish_score_the_same():
    goodness = np.ones((2, 20))
    goodness[1, ::2] = -np.inf
    tests = max_t(goodness)
    assert tests.statistic[0, 1] > 0
    assert tests.p_adjusted[0, 1] < 0.01
