"""Time to the target of every scheme, each compared with the control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fanin.experiments.question import Question, Target
from fanin.experiments.samples import Sample
from fanin.experiments.statistics.survival import Times, holm, kaplan_meier, logrank, reach_interval, times_to
from fanin.report.schema import Survival, TargetRecord, TimeToTarget


def waiting(
    samples: Sequence[Sample], question: Question, *, exploratory: bool
) -> tuple[TargetRecord | None, dict[str, TimeToTarget]]:
    """Return the Kaplan-Meier record and each scheme's summary; None and nothing without a target.

    Args:
        samples: The runs of each scheme.
        question: What is asked.
        exploratory: Whether there are too few seeds for a test.
    """
    target = question.target
    if target is None:
        return None, {}
    times = {sample.scheme: _times(sample, target) for sample in samples}
    record: TargetRecord = {
        "metric": target.metric,
        "value": float(target.value),
        "direction": target.direction,
        "curves": {scheme: _survival(own) for scheme, own in times.items()},
        "logrank": dict.fromkeys(times) | ({} if exploratory else _tests(times, question.control)),
    }
    return record, {
        scheme: {"reached": int(own.reached.sum()), "median": own.median()} for scheme, own in times.items()
    }


def _times(sample: Sample, target: Target) -> Times:
    curve = sample.curves[target.metric]
    return times_to(
        curve >= target.value if target.direction == "max" else curve <= target.value, sample.failed
    )


def _survival(times: Times) -> Survival:
    low, high = reach_interval(times).T.tolist()
    reached = kaplan_meier(times).tolist()
    return {
        "epoch": [float(epoch) for epoch in range(times.last + 1)],
        "reached": reached,
        "low": low,
        "high": high,
    }


def _tests(times: Mapping[str, Times], control: str | None) -> dict[str, float]:
    """Return the log-rank p of each scheme against the control, adjusted by Holm's method."""
    if control is None:
        return {}
    others = [scheme for scheme in times if scheme != control]
    p_values = holm([logrank(times[scheme], times[control]) for scheme in others])
    return dict(zip(others, p_values, strict=True))
