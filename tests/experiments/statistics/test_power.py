import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fanin.experiments.statistics.power import FEWEST_SEEDS, seeds_to_conclude, seeds_to_tell
from fanin.experiments.statistics.signflip import max_t

BASE = np.array([-1.0, 0.0, 1.0])


@given(st.floats(1e-6, 0.5))
def test_the_fewest_seeds_are_those_that_can_reach_alpha(alpha):
    least = seeds_to_conclude(alpha)
    assert least >= FEWEST_SEEDS
    assert 2.0 ** (1 - least) <= alpha
    assert least == FEWEST_SEEDS or 2.0 ** (2 - least) > alpha


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.001])
def test_fewer_seeds_cannot_reach_alpha_however_large_the_effect(alpha):
    least = math.ceil(1 - math.log2(alpha))
    p = [max_t(np.array([[0.0] * n, [1.0] * n])).p_adjusted[1, 0] for n in (least - 1, least)]
    assert p[0] > alpha >= p[1]


@pytest.mark.parametrize(("effect", "comparisons"), [(0.3, 1), (0.5, 1), (1.0, 1), (0.5, 7)])
def test_a_t_test_with_so_many_seeds_has_the_power(effect, comparisons):
    level = 0.05 / (2 * comparisons)

    def power(n):
        return stats.nct.sf(stats.t.isf(level, n - 1), n - 1, effect * math.sqrt(n))

    count = seeds_to_tell(BASE + effect, comparisons=comparisons, alpha=0.05)
    assert power(count - 3) < 0.8 < power(count + 2)


def test_no_number_is_made_up():
    def told(differences):
        return seeds_to_tell(np.array(differences), comparisons=1, alpha=0.05)

    assert told([1.0, 2.0]) is None
    assert told([-1.0, 0.0, 1.0]) is None
    assert told([1.0, 2.0, np.nan]) is None
    assert told([1.0, 2.0, np.inf]) is None
    assert told([-1.0, 1.0, 0.01]) is None  # more than 10,000
    assert told([2.0, 2.0, 2.0]) == FEWEST_SEEDS


@given(st.floats(0.05, 2), st.floats(0.05, 2), st.integers(1, 20))
def test_smaller_effects_and_more_schemes_need_more(one, other, comparisons):
    def told(effect, schemes=comparisons):
        return seeds_to_tell(BASE + effect, comparisons=schemes, alpha=0.05) or math.inf

    assert told(min(one, other)) >= told(max(one, other))
    assert told(one, comparisons + 1) >= told(one)
    assert told(-one) == told(one)
