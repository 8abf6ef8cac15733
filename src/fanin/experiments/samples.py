"""The runs of a comparison as arrays, one sample a scheme."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import cast

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.experiments.question import Question, Score
from fanin.experiments.statistics.failures import failed
from fanin.frameworks.training import Run


@dataclass(frozen=True, eq=False)
class Sample:
    """One scheme's runs, in the order of the question's seeds.

    Args:
        scheme: Its label.
        runs: The runs.
        curves: (runs, epochs) of each logged quantity; nan where a run logged nothing.
        scores: Final scores as they were logged, (runs,).
        failed: Which runs failed, (runs,).
        goodness: Scores with the sign that makes larger better; -inf for a failed run, (runs,).
    """

    scheme: str
    runs: tuple[Run, ...]
    curves: Mapping[str, NDArray[np.float64]]
    scores: NDArray[np.float64]
    failed: NDArray[np.bool_]
    goodness: NDArray[np.float64]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that were run."""
        return tuple(run.seed for run in self.runs)


def as_samples(runs: Iterable[Run], question: Question) -> tuple[Sample, ...]:
    """Return the runs that a question asks about, by scheme.

    Args:
        runs: Finished runs, in any order; those of other schemes or seeds are left out.
        question: What is asked.

    Raises:
        FaninError: A scheme has no run, or the runs did not log the score or the target.
    """
    found = {(run.scheme, run.seed): run for run in runs}
    by_scheme = {
        scheme: tuple(found[scheme, seed] for seed in question.seeds if (scheme, seed) in found)
        for scheme in question.schemes
    }
    for scheme, own in by_scheme.items():
        if not own:
            raise FaninError(f"No run of {scheme} has finished.", fix="run the same command again to go on")
        _check_logged(own, question)
    return tuple(_sample(scheme, own, question.score) for scheme, own in by_scheme.items())


def common_goodness(samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Return goodness under the seeds that every scheme was run with, (schemes, seeds)."""
    common = set(samples[0].seeds).intersection(*(sample.seeds for sample in samples))
    chosen = [[seed in common for seed in sample.seeds] for sample in samples]
    return np.stack([sample.goodness[kept] for sample, kept in zip(samples, chosen, strict=True)])


def _check_logged(runs: Sequence[Run], question: Question) -> None:
    wanted = ["loss", question.score.metric, *([question.target.metric] if question.target else [])]
    logged = {metric for run in runs for metric in run.curves}
    for metric in wanted:
        if metric not in logged:
            raise FaninError(
                f"{metric!r} was not logged by {runs[0].scheme}.",
                expected=f"one of {', '.join(sorted(logged))}",
            )


def _sample(scheme: str, runs: tuple[Run, ...], score: Score) -> Sample:
    metrics = dict.fromkeys(metric for run in runs for metric in run.curves)
    curves = {metric: _stacked([run.curves.get(metric, ()) for run in runs]) for metric in metrics}
    scores = curves[score.metric][:, -1]
    lost = failed(curves["loss"], scores)
    goodness = np.where(lost, -np.inf, scores if score.direction == "max" else -scores)
    return Sample(scheme, runs, curves, scores, lost, goodness)


def _stacked(curves: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    # A curve that ends early is filled with nan: such a run did not finish, and has failed.
    return np.array(list(zip_longest(*cast(Sequence, curves), fillvalue=np.nan)), dtype=float).T
