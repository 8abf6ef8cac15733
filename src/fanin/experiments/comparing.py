"""From finished runs to the record of a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.experiments.question import Direction, Question
from fanin.experiments.ranking import finite, rows
from fanin.experiments.samples import Sample, common_goodness
from fanin.experiments.scores import direction
from fanin.experiments.statistics.band import band
from fanin.experiments.statistics.improvement import improvement
from fanin.experiments.statistics.power import seeds_to_conclude
from fanin.experiments.statistics.signflip import max_t
from fanin.experiments.verdict import verdict
from fanin.experiments.waiting import waiting
from fanin.report.schema import COMPARISON_SCHEMA, Band, ComparisonRecord, Improvement, RunRecord, Speed


def as_record(
    samples: Sequence[Sample],
    question: Question,
    *,
    study: Mapping[str, Any],
    notes: Sequence[str],
    environment: Mapping[str, str],
    speed: Speed,
) -> ComparisonRecord:
    """Return all that a comparison says, as plain data.

    Args:
        samples: The runs of each scheme.
        question: What is asked.
        study: What was run.
        notes: What the user should know about how the runs were made.
        environment: Versions and machine.
        speed: What it cost.

    Raises:
        FaninError: No seed was run with every scheme.
    """
    goodness = common_goodness(samples)
    if goodness.shape[-1] == 0:
        raise FaninError("No seed was run with every scheme.", fix="run the same command again to go on")
    tests = max_t(goodness)
    exploratory = goodness.shape[-1] < seeds_to_conclude(question.alpha)
    target, waits = waiting(samples, question, exploratory=exploratory)
    ranking = rows(samples, question, tests, waits, exploratory=exploratory)
    pairs = _improvements(question.schemes, goodness)
    return {
        "schema": COMPARISON_SCHEMA,
        "verdict": verdict(question, ranking, goodness, tests, pairs),
        "exploratory": exploratory,
        "notes": [*notes, *_notes(samples, goodness)],
        "score": {"metric": question.score.metric, "direction": question.score.direction},
        "control": question.control,
        "alpha": float(question.alpha),
        "ranking": ranking,
        "improvement": pairs,
        "time_to_target": target,
        "curves": {sample.scheme: _bands(sample, question) for sample in samples},
        "runs": [run for sample in samples for run in _runs(sample)],
        "study": plain(study),
        "speed": speed,
        "environment": dict(environment),
    }


def plain(thing: Any) -> Any:
    """Return nested data as JSON can hold it: tuples as lists, numbers that are not finite as None.

    Example:
        >>> plain({"seeds": (0, 1), "clip": float("inf")})
        {'seeds': [0, 1], 'clip': None}
    """
    if isinstance(thing, Mapping):
        return {str(key): plain(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple | set | frozenset):
        return [plain(value) for value in thing]
    if isinstance(thing, np.generic | np.ndarray):
        return plain(thing.tolist())
    if isinstance(thing, float):
        return thing if math.isfinite(thing) else None
    return thing if thing is None or isinstance(thing, bool | int | str) else str(thing)


def _improvements(schemes: Sequence[str], goodness: NDArray[np.float64]) -> list[Improvement]:
    probability, interval = improvement(goodness)
    return [
        {"a": one, "b": other, "probability": float(probability[a, b]), "interval": interval[a, b].tolist()}
        for a, one in enumerate(schemes)
        for b, other in enumerate(schemes)
        if a != b
    ]


def _notes(samples: Sequence[Sample], goodness: NDArray[np.float64]) -> list[str]:
    notes = []
    counts = {sample.scheme: int(sample.failed.sum()) for sample in samples}
    if sum(counts.values()):
        where = ", ".join(f"{scheme} {count}" for scheme, count in counts.items() if count)
        of = sum(len(sample.runs) for sample in samples)
        notes.append(
            f"{sum(counts.values())} of {of} runs failed ({where}): the loss diverged or was not finite. "
            "None is left out: a failed run ranks below all others, and schemes with one have no mean."
        )
    most = max(len(sample.runs) for sample in samples)
    if goodness.shape[-1] < most:
        notes.append(
            f"Paired comparisons use the {goodness.shape[-1]} of {most} seeds run with every scheme."
        )
    return notes


def _bands(sample: Sample, question: Question) -> dict[str, Band]:
    known: dict[str, Direction] = {
        asked.metric: asked.direction for asked in (question.target, question.score) if asked
    }
    return {
        metric: _band(values, known.get(metric) or direction(metric))
        for metric, values in sample.curves.items()
    }


def _band(values: NDArray[np.float64], better: Direction | None) -> Band:
    center, low, high = _lists(band(values, better))
    return {"epoch": list(range(1, values.shape[1] + 1)), "center": center, "low": low, "high": high}


def _runs(sample: Sample) -> list[RunRecord]:
    curves = {metric: _lists(values) for metric, values in sample.curves.items()}
    return [
        {
            "scheme": sample.scheme,
            "seed": int(run.seed),
            "score": finite(sample.scores[place]),
            "failed": bool(sample.failed[place]),
            "seconds": float(run.seconds),
            "curves": {metric: lists[place] for metric, lists in curves.items()},
        }
        for place, run in enumerate(sample.runs)
    ]


def _lists(values: NDArray[np.float64]) -> list[list[float | None]]:
    """Return the rows of a matrix as lists, None where not finite."""
    return [[value if math.isfinite(value) else None for value in row] for row in values.tolist()]
