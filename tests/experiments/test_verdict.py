import math

import numpy as np
import pytest

from fanin.experiments.statistics.signflip import max_t
from fanin.experiments.verdict import contenders
from finished import compared

NAN = math.nan
WAVE = np.resize([-1, 1, 0, 1, -1, 0, 2, -2], 20) / 100


def lost(scores, count):
    return [NAN] * count + list(scores[count:])


VERDICTS = {
    "a clear winner": (
        {"zeros": [0.5] * 20, "he": 0.92 + WAVE, "glorot": 0.95 + WAVE[::-1]},
        {},
        "glorot trains this model best: val_accuracy 0.9510 (95 % interval [0.9440, 0.9570]); "
        "better than he in 100 % of paired seeds (adjusted p < .001, 20 seeds).",
    ),
    "the smaller is better": (
        {"zeros": [0.69] * 8, "he": 0.3 + WAVE[:8]},
        {"metric": "val_loss", "direction": "min"},
        "he trains this model best: val_loss 0.300 (95 % interval [0.290, 0.310]); "
        "better than zeros in 100 % of paired seeds (adjusted p = .008, 8 seeds).",
    ),
    "a winner with failures": (
        {"zeros": [0.5] * 20, "he": lost(0.9 + WAVE, 2)},
        {},
        "he trains this model best: val_accuracy 0.8990 (95 % interval [0.8910, 0.9060]); "
        "better than zeros in 90 % of paired seeds (adjusted p < .001, 20 seeds). 2 of its 20 runs failed.",
    ),
    "no winner": (
        {"he": 0.9 + WAVE, "glorot": 0.901 + WAVE[::-1]},
        {},
        "No single best scheme: 20 seeds cannot tell glorot from he (adjusted p = .801; "
        "about 2,100 seeds might).",
    ),
    "equal scores": (
        {"he": [1.0] * 20, "glorot": [1.0] * 20},
        {},
        "No single best scheme: 20 seeds cannot tell he from glorot (adjusted p = 1.000).",
    ),
    "a tie of three": (
        {"zeros": [0.5] * 20, "he": 0.92 + WAVE, "glorot": 0.921 + WAVE[::-1], "lecun": 0.919 - WAVE},
        {},
        "No single best scheme: 20 seeds cannot tell glorot from he and lecun (adjusted p = .991; "
        "about 2,800 seeds might).",
    ),
    "a tie of four": (
        {"a": 0.9 + WAVE, "b": 0.9 + WAVE[::-1], "c": 0.9 - WAVE, "d": 0.9 + WAVE, "zeros": [0.5] * 20},
        {},
        "No single best scheme: 20 seeds cannot tell a from b and 2 others (adjusted p = 1.000).",
    ),
    "the mean says otherwise": (
        {"he": [0.1] * 4 + [0.95] * 16, "glorot": 0.93 + WAVE},
        {},
        "No single best scheme over 20 seeds: he leads by interquartile mean, glorot by mean.",
    ),
    "three seeds": (
        {"he": [0.90, 0.91, 0.93], "glorot": [0.89, 0.93, 0.90]},
        {"control": "glorot"},
        "Exploratory: 3 seeds cannot support a conclusion; he leads, at least 8 seeds are needed "
        "(about 110 to tell it from glorot).",
    ),
    "three equal seeds": (
        {"he": [0.9] * 3, "glorot": [0.9] * 3},
        {"control": "glorot"},
        "Exploratory: 3 seeds cannot support a conclusion, and no scheme leads; at least 8 seeds are needed.",
    ),
    "one seed": (
        {"he": [0.9], "glorot": [0.8]},
        {"control": "glorot"},
        "Exploratory: 1 seed cannot support a conclusion; he leads, at least 8 seeds are needed.",
    ),
    "too few seeds for the level": (
        {"he": 0.9 + WAVE[:9], "zeros": [0.5] * 9},
        {"alpha": 0.001, "control": "zeros"},
        "Exploratory: 9 seeds cannot support a conclusion; he leads, at least 11 seeds are needed.",
    ),
    "all runs fail": (
        {"he": [NAN] * 8, "glorot": [NAN] * 8},
        {},
        "No scheme trains this model: all 16 runs failed.",
    ),
    "the only run fails": ({"he": [NAN]}, {}, "No scheme trains this model: its one run failed."),
    "some runs of each fail": (
        {"he": lost(0.9 + WAVE, 9), "glorot": lost(0.9 + WAVE, 6)},
        {},
        "No scheme trains this model reliably: more than a quarter of the runs of each failed.",
    ),
    "a single scheme": (
        {"he": 0.9 + WAVE},
        {},
        "he reaches val_accuracy 0.9010 (95 % interval [0.8940, 0.9070]) over 20 seeds; "
        "there is nothing to compare it with.",
    ),
    "a single scheme with failures": (
        {"he": lost(0.9 + WAVE, 2)},
        {},
        "he reaches val_accuracy 0.8990 (95 % interval [0.8910, 0.9060]) over 20 seeds; "
        "there is nothing to compare it with. 2 of its 20 runs failed.",
    ),
    "a single run": (
        {"he": [0.9]},
        {},
        "he reaches val_accuracy 0.9000 over 1 seed; there is nothing to compare it with.",
    ),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict(case):
    scores, options, text = VERDICTS[case]
    assert compared(scores, **options).verdict == text


@pytest.mark.parametrize(
    "case", ["three seeds", "three equal seeds", "one seed", "too few seeds for the level"]
)
def test_no_p_value_anywhere_where_seeds_are_too_few(case):
    scores, options, text = VERDICTS[case]
    record = compared(scores, **options).to_dict()
    assert record["exploratory"]
    assert "p =" not in text
    assert "p <" not in text
    assert [row["effect"]["p_adjusted"] for row in record["ranking"] if row["effect"]] == [None]


def test_a_scheme_is_ruled_out_only_in_its_own_family():
    rng = np.random.default_rng(0)
    tests = max_t(rng.normal(np.array([[2.0], [1.9], [0.0], [-9.0]]), 0.5, size=(4, 20)))
    assert contenders(0, tests, 0.05) == [0, 1]
    assert contenders(0, tests, 0.0) == [0, 1, 2, 3]
    assert contenders(2, tests, 0.05)[1:] == [0, 1]


def test_the_hardest_to_tell_comes_first():
    rng = np.random.default_rng(1)
    tests = max_t(rng.normal(np.array([[1.0], [0.3], [0.9], [0.6]]), 1, size=(4, 12)))
    left = contenders(0, tests, 0.0)
    assert sorted(left[1:], key=lambda place: -tests.p_adjusted[0, place]) == left[1:]
    assert left[0] == 0


def test_a_leader_by_interquartile_mean_is_no_winner_where_the_mean_is_worse():
    tests = max_t(np.array([[0.1] * 4 + [0.95] * 16, [0.9] * 20]))
    assert tests.statistic[0, 1] < 0
    assert contenders(0, tests, 1.0) == [0]
    assert contenders(0, tests, 0.999) == [0, 1]
