"""What is asked of a set of runs: which schemes, by which score, against which control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Score:
    """The logged quantity whose last value ranks the runs, and which way is better."""

    metric: str
    direction: Direction


@dataclass(frozen=True)
class Target:
    """A level of a logged quantity; a run's time to target is the first epoch that reaches it."""

    metric: str
    value: float
    direction: Direction


@dataclass(frozen=True)
class Question:
    """What a comparison asks.

    Args:
        schemes: Labels, in the order given by the user.
        seeds: The seeds that every scheme was to be run with.
        score: What ranks the runs.
        control: The scheme that the others are tested against, or None for no test.
        target: The level for time-to-target, or None.
        alpha: Family-wise error rate of the tests.
    """

    schemes: tuple[str, ...]
    seeds: tuple[int, ...]
    score: Score
    control: str | None = None
    target: Target | None = None
    alpha: float = 0.05
