"""Finished runs with given scores; NaN is a run that diverged."""

import math

from fanin.experiments.comparison import compare_runs
from fanin.experiments.question import Question, Score
from fanin.frameworks.training import Run


def runs(scores, metric="val_accuracy"):
    """Return runs of two epochs, seeds 0, 1, ... of each scheme."""
    return [
        Run(scheme, seed, {"loss": (0.7, math.nan if math.isnan(score) else 0.3), metric: (0.5, score)}, 0.1)
        for scheme, values in scores.items()
        for seed, score in enumerate(map(float, values))
    ]


def question(scores, metric="val_accuracy", direction="max", **options):
    seeds = tuple(range(max(map(len, scores.values()))))
    return Question(tuple(scores), seeds, Score(metric, direction), **options)


def compared(scores, metric="val_accuracy", direction="max", **options):
    """Return the comparison of scores, a list for each scheme."""
    return compare_runs(
        runs(scores, metric),
        question(scores, metric, direction, **options),
        study={"epochs": 2},
        environment={"python": "3"},
        speed={"trained": 4, "reused": 0, "seconds": 1.0},
    )
