import math

import numpy as np
import pytest
from scipy import stats

from fanin.experiments.question import Question, Score, Target
from fanin.experiments.samples import as_samples
from fanin.experiments.waiting import waiting
from fanin.frameworks.training import Run

LAST = 6
TARGET = Target("loss", 0.3, "min")


def losses(reach, failed=()):
    """Return runs whose loss is at the target from an epoch on; 0 is never."""
    for seed, epoch in enumerate(reach):
        values = [0.2 if epoch and at >= epoch else 0.6 for at in range(1, LAST + 1)]
        yield [*values[:-1], math.nan] if seed in failed else values


def waited(schemes, *, target=TARGET, control=None, exploratory=False):
    runs = [
        Run(scheme, seed, {"loss": tuple(values), "gain": tuple(-np.array(values))})
        for scheme, curves in schemes.items()
        for seed, values in enumerate(curves)
    ]
    seeds = tuple(range(len(runs)))
    asked = Question(tuple(schemes), seeds, Score("loss", "min"), control=control, target=target)
    return waiting(as_samples(runs, asked), asked, exploratory=exploratory)


FAST, SLOW = [1, 1, 2, 1, 2, 1, 1, 3], [4, 0, 5, 6, 5, 0, 6, 0]


def test_by_hand():
    record, summaries = waited({"he": losses([1, 2, 2, 0])})
    assert summaries == {"he": {"reached": 3, "median": 2.0}}
    assert record["curves"]["he"]["epoch"] == [0, 1, 2, 3, 4, 5, 6]
    assert record["curves"]["he"]["reached"] == [0, 0.25, 0.75, 0.75, 0.75, 0.75, 0.75]
    assert (record["metric"], record["value"], record["direction"]) == ("loss", 0.3, "min")
    low, high = stats.binomtest(3, 4).proportion_ci(method="exact")
    assert record["curves"]["he"]["low"][-1] == pytest.approx(low)
    assert record["curves"]["he"]["high"][-1] == pytest.approx(high)


def test_a_value_at_the_target_has_reached_it_and_directions_mirror():
    smaller = waited({"he": losses(FAST)}, target=Target("loss", 0.2, "min"))
    larger = waited({"he": losses(FAST)}, target=Target("gain", -0.2, "max"))
    assert smaller[1] == larger[1] == {"he": {"reached": 8, "median": 1.0}}
    assert smaller[0]["curves"] == larger[0]["curves"]


def test_a_diverged_run_never_reached_the_target_but_still_counts():
    record, summaries = waited({"he": losses([1, 1, 1, 1], failed={0, 1, 2})})
    assert summaries == {"he": {"reached": 1, "median": None}}
    assert record["curves"]["he"]["reached"] == [0] + [0.25] * 6


def test_each_scheme_is_tested_against_the_control_and_corrected():
    record, _ = waited({"fast": losses(FAST), "slow": losses(SLOW), "same": losses(FAST)}, control="fast")

    def censored(reach):
        epochs = np.array(reach)
        return stats.CensoredData.right_censored(np.where(epochs == 0, LAST, epochs), epochs == 0)

    alone = stats.logrank(censored(SLOW), censored(FAST)).pvalue
    assert record["logrank"] == {"fast": None, "slow": pytest.approx(2 * alone), "same": 1.0}


def test_without_a_control_or_with_few_seeds_nothing_is_tested():
    schemes = {"fast": FAST, "slow": SLOW}
    for options in ({"control": None}, {"control": "fast", "exploratory": True}):
        record, _ = waited({name: losses(reach) for name, reach in schemes.items()}, **options)
        assert record["logrank"] == {"fast": None, "slow": None}


def test_without_a_target_there_is_nothing_to_wait_for():
    assert waited({"he": losses(FAST)}, target=None) == (None, {})
