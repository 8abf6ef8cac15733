"""Running a study: only what its store does not hold yet, kept as it finishes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from fanin.experiments.store import Store
from fanin.experiments.study import Study
from fanin.frameworks.training import Choice, Run, Trainer

Progress = Callable[[int, int], None]
"""Called with the runs done and the runs in all, reused ones left out."""


@dataclass(frozen=True)
class Finished:
    """The runs of a study and what they cost.

    Args:
        runs: All runs of the study's schemes and seeds, reused ones included.
        trained: How many were trained now.
        seconds: Wall time of the training, compilation included.
    """

    runs: tuple[Run, ...]
    trained: int
    seconds: float


def run_study(study: Study, trainer: Trainer, store: Store, *, progress: Progress | None = None) -> Finished:
    """Train what is missing, keep each run as it finishes, and return all of them.

    Args:
        study: What to run.
        trainer: What trains it.
        store: What holds finished runs; only this process writes to it.
        progress: Told how many runs are done.

    Returns:
        The study's runs, by seed and scheme in the study's order.
    """
    began = time.perf_counter()
    store.begin(study.id, study.record)
    done = store.finished(study.id)
    todo = missing(study, done)
    report = progress or (lambda finished, total: None)
    report(0, len(todo))
    trained = 0
    for runs in trainer.train(todo) if todo else ():
        store.add(study.id, runs)
        done |= {(run.scheme, run.seed): run for run in runs}
        trained += len(runs)
        report(trained, len(todo))
    wanted = tuple(done[choice.key, seed] for seed in study.seeds for choice in study.choices)
    return Finished(wanted, trained, time.perf_counter() - began)


def missing(study: Study, done: dict[tuple[str, int], Run]) -> list[tuple[Choice, int]]:
    """Return what is still to run, seed by seed, so that an interrupted study is still paired."""
    grid = [(choice, seed) for seed in study.seeds for choice in study.choices]
    return [(choice, seed) for choice, seed in grid if (choice.key, seed) not in done]
