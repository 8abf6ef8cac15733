"""One row of the table: a prediction, networks of other first weights, and how far apart they are."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

import fanin
from benchmarks.propagation.agreement import (
    WAYS,
    Miss,
    Place,
    gradients,
    levels,
    matching,
    places,
    steps,
)
from benchmarks.propagation.rows import Row

Record = dict[str, Any]


def cell(row: Row) -> Record:
    """Return what a row of the table has, or what it stopped with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _cell(row)
        except Exception as error:  # whatever stops it is the result
            return {"fails": f"{type(error).__name__}: {error}"}


def _cell(row: Row) -> Record:
    began = time.perf_counter()
    predicted = fanin.propagate(row.predicted or row.build, **row.options)
    seconds = time.perf_counter() - began
    # One by one, as each is to lie within the bar of one network; none has the predicted one's seed.
    measured = [
        fanin.measure(row.build, **row.options, seeds=(seed,), progress=False)
        for seed in range(1, row.networks + 1)
    ]
    ways = {way: places(predicted, measured, way) for way in WAYS}
    of_parameters = gradients(predicted, measured)
    queries = [] if row.queries is None else filter(matching(row.queries), of_parameters)
    return {
        "networks": row.networks,
        "layers": len(predicted),
        "unknown": sum(layer.forward is None for layer in predicted.layers),
        "predicting": seconds,
        **{way: _steps(row, way, found) for way, found in ways.items()},
        "gradients": _summary(levels(of_parameters), row.goals.gradients),
        "queries": _summary(levels(queries), row.goals.queries),
        "bars": {**{way: bars_of(found) for way, found in ways.items()}, "gradients": bars_of(of_parameters)},
        "types": {way: _by_type(found) for way, found in ways.items()},
    }


def _steps(row: Row, way: str, found: list[Place]) -> Record | None:
    """Return how far ratios of neighbours are off, from where the signal comes from on."""
    chain = list(filter(matching(row.chain), found))
    return _summary(steps(chain if way == "forward" else reversed(chain)), getattr(row.goals, way))


def _summary(misses: Sequence[Miss], goal: float | None) -> Record | None:
    if not misses:
        return None
    worst = max(misses, key=lambda miss: abs(miss.log))
    found = {
        "count": len(misses),
        "median": median(abs(miss.log) for miss in misses),
        "worst": worst.log if math.isfinite(worst.log) else None,
        "error": worst.error,
        "where": worst.name,
        "noise": median(miss.error for miss in misses),
    }
    if goal is None:
        return found
    met = all(abs(miss.log) <= math.log1p(goal) for miss in misses)
    missed = any(miss.beyond(goal) for miss in misses)
    return {**found, "goal": goal, "verdict": "met" if met else "missed" if missed else "within noise"}


def bars_of(found: list[Place]) -> Record | None:
    """Return how many networks lie within two standard deviations, and how far they spread in all."""
    if not found:
        return None
    sigmas = np.abs([one.sigmas for one in found])
    return {
        "count": len(found),
        "within": float(np.mean(sigmas <= 2)),
        "spread": float(np.median(sigmas)) / 0.6745,  # 1 where bars are right
    }


def _by_type(found: list[Place]) -> Record:
    kinds: dict[str, list[Place]] = {}
    for one in found:
        kinds.setdefault(one.type, []).append(one)
    return {kind: bars_of(several) for kind, several in kinds.items()}
