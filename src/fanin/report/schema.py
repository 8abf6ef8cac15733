"""The documented, versioned shape of what results say of themselves (`to_dict`, `--json`)."""

from __future__ import annotations

from typing import Any, TypedDict

COMPARISON_SCHEMA = "fanin.comparison/1"


class Failures(TypedDict):
    """Diverged or non-finite runs: how many, their rate and its Wilson interval."""

    count: int
    rate: float
    interval: list[float]


class Effect(TypedDict):
    """Paired difference of a scheme's scores from the control's, positive when the scheme is better."""

    control: str
    difference: float | None
    statistic: float | None
    p_adjusted: float | None


class TimeToTarget(TypedDict):
    """Kaplan-Meier summary of one scheme: runs that reached the target, median epoch (None: never)."""

    reached: int
    median: float | None


class Row(TypedDict):
    """One scheme in the ranking, best first. Numbers are None where the data cannot give them."""

    rank: int
    scheme: str
    runs: int
    iqm: float | None
    interval: list[float] | None
    mean: float | None
    sd: float | None
    failures: Failures
    effect: Effect | None
    time_to_target: TimeToTarget | None
    final: dict[str, float | None]


class Improvement(TypedDict):
    """P(a run of a scores better than a run of b), ties counted half, with its interval."""

    a: str
    b: str
    probability: float
    interval: list[float] | None


class Survival(TypedDict):
    """One scheme's Kaplan-Meier curve: share of runs that have reached the target by each epoch."""

    epoch: list[float]
    reached: list[float]
    low: list[float]
    high: list[float]


class TargetRecord(TypedDict):
    """Time to target over all schemes; logrank compares each with the control."""

    metric: str
    value: float
    direction: str
    curves: dict[str, Survival]
    logrank: dict[str, float | None]


class Band(TypedDict):
    """A learning curve over seeds: interquartile mean and quartiles at each epoch (None: not finite)."""

    epoch: list[int]
    center: list[float | None]
    low: list[float | None]
    high: list[float | None]


class RunRecord(TypedDict):
    """One run; a non-finite value is None, and `failed` says that there was one."""

    scheme: str
    seed: int
    score: float | None
    failed: bool
    seconds: float
    curves: dict[str, list[float | None]]


class ScoreRecord(TypedDict):
    """What ranks the runs: the last value of `metric`; direction is "max" or "min"."""

    metric: str
    direction: str


class Speed(TypedDict):
    """What the comparison cost: runs trained now, runs reused from a store, wall seconds."""

    trained: int
    reused: int
    seconds: float


class ComparisonRecord(TypedDict):
    """All that a comparison says; the text, the HTML report and `--json` are made from this alone."""

    schema: str
    verdict: str
    exploratory: bool
    notes: list[str]
    score: ScoreRecord
    control: str | None
    alpha: float
    ranking: list[Row]
    improvement: list[Improvement]
    time_to_target: TargetRecord | None
    curves: dict[str, dict[str, Band]]
    runs: list[RunRecord]
    study: dict[str, Any]
    speed: Speed
    environment: dict[str, str]
