import math

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.experiments.question import Question, Score, Target
from fanin.experiments.samples import as_samples, common_goodness
from fanin.frameworks.training import Run
from finished import question, runs

NAN, INF = math.nan, math.inf
SCORES = {"he": [0.9, 0.8, NAN], "zeros": [0.5, 0.6, 0.7]}


def test_runs_come_in_the_questions_order_whatever_order_they_finished_in():
    he, zeros = as_samples(reversed(runs(SCORES)), question(SCORES))
    assert (he.scheme, zeros.scheme) == ("he", "zeros")
    assert he.seeds == zeros.seeds == (0, 1, 2)
    np.testing.assert_equal(he.scores, SCORES["he"])
    np.testing.assert_equal(he.curves["val_accuracy"], [[0.5, 0.9], [0.5, 0.8], [0.5, NAN]])


def test_what_was_not_asked_about_is_left_out():
    asked = Question(("zeros",), (2, 0), Score("val_accuracy", "max"))
    (zeros,) = as_samples([*runs(SCORES), Run("he", 9, {"loss": ()})], asked)
    assert zeros.seeds == (2, 0)


@pytest.mark.parametrize(("direction", "goodness"), [("max", [0.9, 0.8, -INF]), ("min", [-0.9, -0.8, -INF])])
def test_larger_is_better_and_a_failed_run_is_the_worst(direction, goodness):
    he, _ = as_samples(runs(SCORES), question(SCORES, direction=direction))
    assert he.goodness.tolist() == goodness
    assert he.failed.tolist() == [False, False, True]


@pytest.mark.parametrize("score", [NAN, INF, -INF])
@pytest.mark.parametrize("direction", ["max", "min"])
def test_no_score_that_is_not_finite_is_dropped(score, direction):
    finished = [
        Run("he", 0, {"loss": (0.7, 0.6), "m": (0.5, score)}),
        Run("he", 1, {"loss": (0.7, 0.6), "m": (0, 1)}),
    ]
    (he,) = as_samples(finished, Question(("he",), (0, 1), Score("m", direction)))
    assert he.failed.tolist() == [True, False]
    assert np.isneginf(he.goodness).tolist() == [True, False]


def test_a_run_that_stopped_early_has_failed():
    finished = [Run("he", 0, {"loss": (0.7, 0.6, 0.5)}), Run("he", 1, {"loss": (0.7, 0.6)})]
    (he,) = as_samples(finished, Question(("he",), (0, 1), Score("loss", "min")))
    assert he.failed.tolist() == [False, True]
    np.testing.assert_equal(he.curves["loss"], [[0.7, 0.6, 0.5], [0.7, 0.6, NAN]])


def test_a_run_that_lacks_a_quantity_has_failed():
    finished = [Run("he", 0, {"loss": (0.7,), "m": (1.0,)}), Run("he", 1, {"loss": (0.7,)})]
    (he,) = as_samples(finished, Question(("he",), (0, 1), Score("m", "max")))
    assert he.failed.tolist() == [False, True]


def test_pairs_are_the_seeds_of_all_schemes():
    finished = [run for run in runs(SCORES) if (run.scheme, run.seed) != ("he", 1)]
    samples = as_samples(finished, question(SCORES))
    assert common_goodness(samples).tolist() == [[0.9, -INF], [0.5, 0.7]]


def test_a_scheme_without_runs_is_an_error_that_says_how_to_go_on():
    with pytest.raises(FaninError, match="No run of lecun") as error:
        as_samples(runs(SCORES), question({**SCORES, "lecun": [0]}))
    assert "again" in error.value.fix


@pytest.mark.parametrize(
    "asked",
    [
        Question(("he",), (0,), Score("val_loss", "min")),
        Question(("he",), (0,), Score("val_accuracy", "max"), target=Target("val_loss", 0.3, "min")),
    ],
)
def test_what_was_not_logged_is_an_error_that_names_what_was(asked):
    with pytest.raises(FaninError, match="'val_loss' was not logged by he") as error:
        as_samples(runs(SCORES), asked)
    assert error.value.expected == "one of loss, val_accuracy"
