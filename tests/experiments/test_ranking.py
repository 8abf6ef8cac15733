import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fanin.experiments.statistics.aggregate import iqm_interval
from finished import compared

NAN = math.nan
SOME = [0.90, 0.91, 0.89, 0.93, 0.92, 0.90, 0.88, 0.91, 0.90, 0.92]
whole = st.lists(st.lists(st.integers(0, 9) | st.just(NAN), min_size=4, max_size=4), min_size=2, max_size=4)


def rows(scores, **options):
    return {row["scheme"]: row for row in compared(scores, **options).to_dict()["ranking"]}


def order(scores, **options):
    return [row.scheme for row in compared(scores, **options).ranking]


def test_a_row_by_hand():
    row = rows({"he": SOME, "zeros": [0.5] * 10}, control="zeros")["he"]
    assert (row["rank"], row["runs"]) == (1, 10)
    assert row["iqm"] == pytest.approx(np.mean(sorted(SOME)[2:8]))
    assert row["mean"] == pytest.approx(np.mean(SOME))
    assert row["sd"] == pytest.approx(np.std(SOME, ddof=1))
    assert row["interval"] == pytest.approx(iqm_interval(np.array(SOME)).tolist())
    assert row["failures"] == {"count": 0, "rate": 0.0, "interval": [0.0, pytest.approx(0.2775, abs=1e-4)]}
    assert row["time_to_target"] is None
    assert row["final"] == {"val_accuracy": pytest.approx(np.mean(SOME))}
    t = stats.ttest_rel(SOME, [0.5] * 10)
    assert row["effect"] == {
        "control": "zeros",
        "difference": pytest.approx(np.mean(SOME) - 0.5),
        "statistic": pytest.approx(t.statistic),
        "p_adjusted": 2.0**-9,
    }


def test_the_interquartile_mean_ranks_then_failures_then_the_mean_then_the_users_order():
    assert order({"low": [1, 2, 3, 9], "high": [1, 3, 4, 5]}) == ["high", "low"]
    assert order({"lost": [NAN, 2, 2, 2], "whole": [1, 2, 2, 2]}) == ["whole", "lost"]
    assert order({"mean": [0, 2, 2, 2], "more": [1, 2, 2, 9]}) == ["more", "mean"]
    assert order({"b": [1, 2], "a": [2, 1]}) == ["b", "a"]
    assert order({"many": [NAN] * 4, "half": [NAN, NAN, 1, 1], "none": [0] * 4}) == ["none", "half", "many"]


def test_smaller_can_be_better():
    scores = {"he": SOME, "zeros": [0.95] * 10}
    row = rows(scores, metric="val_loss", direction="min", control="zeros")["he"]
    assert row["rank"] == 1
    low, high = row["interval"]
    assert low < row["iqm"] < high
    assert row["effect"]["difference"] > 0


def test_a_failed_run_leaves_no_mean_and_no_effect_in_the_scores_unit():
    he = rows({"he": [NAN, *SOME[1:], *SOME], "zeros": [0.5] * 20}, control="zeros")["he"]
    assert he["failures"]["count"] == 1
    assert he["mean"] is he["sd"] is he["effect"]["difference"] is he["final"]["val_accuracy"] is None
    assert he["iqm"] is not None
    assert he["interval"] is not None
    assert he["effect"]["p_adjusted"] < 0.001


@pytest.mark.parametrize(("lost", "iqm", "interval"), [(2, True, True), (3, True, False), (6, False, False)])
def test_what_too_many_failed_runs_take_away(lost, iqm, interval):
    row = rows({"he": [NAN] * lost + (SOME * 2)[lost:]})["he"]
    assert (row["iqm"] is not None) == iqm
    assert (row["interval"] is not None) == interval


@pytest.mark.parametrize(("seeds", "told"), [(1, False), (7, False), (8, True)])
def test_with_fewer_than_eight_seeds_there_is_no_interval_and_no_p(seeds, told):
    row = rows({"he": SOME[:seeds], "zeros": [0.5] * seeds}, control="zeros")["he"]
    assert (row["interval"] is not None) == told
    assert (row["effect"]["p_adjusted"] is not None) == told
    assert (row["sd"] is not None) == (seeds > 1)


def test_the_control_has_no_effect_and_without_one_none_has():
    scores = {"he": SOME, "zeros": [0.5] * 10}
    assert rows(scores, control="zeros")["zeros"]["effect"] is None
    assert [row["effect"] for row in rows(scores).values()] == [None, None]


def test_schemes_with_more_runs_keep_their_own_interval():
    mixed = rows({"he": SOME, "zeros": SOME * 2})
    assert mixed["he"]["interval"] == rows({"he": SOME})["he"]["interval"]
    assert mixed["zeros"]["interval"] == rows({"zeros": SOME * 2})["zeros"]["interval"]


def test_attributes_are_the_records_values():
    result = compared({"he": SOME, "zeros": [0.5] * 10}, control="zeros")
    (best, last), row = result.ranking, result.to_dict()["ranking"][0]
    assert (best.rank, best.scheme, best.runs, best.failures) == (1, "he", 10, 0)
    assert (best.iqm, best.mean, best.sd, list(best.interval)) == (
        row["iqm"],
        row["mean"],
        row["sd"],
        row["interval"],
    )
    assert (best.effect, best.p_adjusted) == (row["effect"]["difference"], row["effect"]["p_adjusted"])
    assert list(best.failure_interval) == row["failures"]["interval"]
    assert last.effect is last.p_adjusted is None


@settings(max_examples=30)
@given(whole, st.permutations(range(4)))
def test_seeds_have_no_order(values, seeds):
    scores = {f"s{place}": own for place, own in enumerate(values)}
    shuffled = {scheme: [own[seed] for seed in seeds] for scheme, own in scores.items()}
    assert order(scores) == order(shuffled)


@settings(max_examples=30)
@given(whole)
def test_directions_mirror(values):
    scores = {f"s{place}": own for place, own in enumerate(values)}
    mirrored = {scheme: [-value for value in own] for scheme, own in scores.items()}
    assert order(scores) == order(mirrored, direction="min")
