"""The ranking: one row a scheme, best first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fanin.experiments.question import Question
from fanin.experiments.samples import Sample
from fanin.experiments.statistics.aggregate import iqm, iqm_interval
from fanin.experiments.statistics.failures import failure_interval
from fanin.experiments.statistics.power import FEWEST_SEEDS
from fanin.experiments.statistics.signflip import MaxT
from fanin.report.schema import Effect, Row, TimeToTarget


@dataclass(frozen=True)
class Ranked:
    """One row of the ranking; None where the data cannot give a number.

    Args:
        rank: 1 for the best.
        scheme: Its label.
        runs: How many runs it has.
        iqm: Interquartile mean of the final scores.
        interval: Its 95 % BCa interval.
        mean: Mean of the scores; None if a run failed.
        sd: Standard deviation; None if a run failed.
        failures: How many runs failed.
        failure_interval: 95 % Wilson interval of the failure rate.
        effect: Mean paired difference from the control, positive when better; None if a run failed.
        p_adjusted: p of the sign-flip maxT test against the control.
    """

    rank: int
    scheme: str
    runs: int
    iqm: float | None
    interval: tuple[float, float] | None
    mean: float | None
    sd: float | None
    failures: int
    failure_interval: tuple[float, float]
    effect: float | None
    p_adjusted: float | None


def ranked(row: Row) -> Ranked:
    """Return a record's row with attributes in place of keys."""
    effect, interval, failures = row["effect"], row["interval"], row["failures"]
    return Ranked(
        rank=row["rank"],
        scheme=row["scheme"],
        runs=row["runs"],
        iqm=row["iqm"],
        interval=(interval[0], interval[1]) if interval else None,
        mean=row["mean"],
        sd=row["sd"],
        failures=failures["count"],
        failure_interval=(failures["interval"][0], failures["interval"][1]),
        effect=effect["difference"] if effect else None,
        p_adjusted=effect["p_adjusted"] if effect else None,
    )


def rows(
    samples: Sequence[Sample],
    question: Question,
    tests: MaxT,
    waits: dict[str, TimeToTarget],
    *,
    exploratory: bool,
) -> list[Row]:
    """Return the rows of a ranking.

    Schemes are ordered by interquartile mean, then by failures, then by mean, then as they were given.

    Args:
        samples: The runs of each scheme.
        question: What is asked.
        tests: Paired tests of every scheme against every other, in the order of samples.
        waits: Time to the target of each scheme; empty without a target.
        exploratory: Whether there are too few seeds for a test.
    """
    intervals = _intervals(samples)
    effects = [_effect(samples, place, question.control, tests, exploratory) for place in range(len(samples))]
    order = sorted(range(len(samples)), key=lambda place: _merit(samples[place]), reverse=True)
    return [
        _row(rank, samples[place], question, intervals[place], effects[place], waits)
        for rank, place in enumerate(order, 1)
    ]


def finite(value: float) -> float | None:
    """Return a number as JSON can hold it: a Python float, or None where it is not finite."""
    return float(value) + 0.0 if math.isfinite(value) else None  # no -0.0


def _merit(sample: Sample) -> tuple[float, float, float]:
    return float(iqm(sample.goodness)), -float(sample.failed.mean()), float(np.sort(sample.goodness).mean())


def _row(
    rank: int,
    sample: Sample,
    question: Question,
    interval: list[float] | None,
    effect: Effect | None,
    waits: dict[str, TimeToTarget],
) -> Row:
    sign = 1 if question.score.direction == "max" else -1
    runs, count = len(sample.runs), int(sample.failed.sum())
    # A mean over the survivors would flatter a scheme that fails.
    spread = float(np.std(sample.scores, ddof=1)) if count == 0 and runs > 1 else math.nan
    return {
        "rank": rank,
        "scheme": sample.scheme,
        "runs": runs,
        "iqm": finite(sign * float(iqm(sample.goodness))),
        "interval": interval if interval is None or sign > 0 else [-interval[1], -interval[0]],
        "mean": finite(sample.scores.mean()) if count == 0 else None,
        "sd": finite(spread),
        "failures": {"count": count, "rate": count / runs, "interval": [*failure_interval(count, runs)]},
        "effect": effect,
        "time_to_target": waits.get(sample.scheme),
        "final": _final(sample),
    }


def _final(sample: Sample) -> dict[str, float | None]:
    held_out = [metric for metric in sample.curves if metric.startswith("val_")]
    with np.errstate(all="ignore"):
        return {metric: finite(sample.curves[metric][:, -1].mean()) for metric in held_out or sample.curves}


def _effect(
    samples: Sequence[Sample], place: int, control: str | None, tests: MaxT, exploratory: bool
) -> Effect | None:
    if control is None or samples[place].scheme == control:
        return None
    against = next(index for index, sample in enumerate(samples) if sample.scheme == control)
    # With a stand-in for failed runs the difference tests well, but is no longer in the score's unit.
    whole = not (samples[place].failed.any() or samples[against].failed.any())
    return {
        "control": control,
        "difference": finite(tests.difference[place, against]) if whole else None,
        "statistic": finite(tests.statistic[place, against]),
        "p_adjusted": None if exploratory else float(tests.p_adjusted[place, against]),
    }


def _intervals(samples: Sequence[Sample]) -> list[list[float] | None]:
    """Return the interval of each scheme's interquartile mean; schemes with as many runs share resamples."""
    found: list[list[float] | None] = [None] * len(samples)
    sizes = {len(sample.runs) for sample in samples if len(sample.runs) >= FEWEST_SEEDS}
    for size in sizes:
        places = [place for place, sample in enumerate(samples) if len(sample.runs) == size]
        ends = iqm_interval(np.stack([samples[place].goodness for place in places]))
        for place, pair in zip(places, ends.tolist(), strict=True):
            found[place] = pair if math.isfinite(pair[0]) else None
    return found
