"""The result of a comparison: it prints, draws and saves itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError, nearest
from fanin.experiments.comparing import as_record
from fanin.experiments.question import Question
from fanin.experiments.ranking import Ranked, ranked
from fanin.experiments.samples import Sample, as_samples
from fanin.frameworks.training import Run
from fanin.report.schema import ComparisonRecord, Improvement, Speed, TargetRecord

if TYPE_CHECKING:
    from altair import TopLevelMixin
    from rich.console import RenderableType


def compare_runs(
    runs: Sequence[Run],
    question: Question,
    *,
    study: Mapping[str, Any],
    notes: Sequence[str] = (),
    environment: Mapping[str, str],
    speed: Speed,
) -> Comparison:
    """Return what finished runs say about a question.

    Args:
        runs: Finished runs with the labels of their schemes, in any order.
        question: What is asked of them.
        study: What was run, as plain data.
        notes: What the user should know about how the runs were made.
        environment: Versions and machine, as text.
        speed: Runs trained, runs reused, wall seconds.

    Raises:
        FaninError: A scheme has no run, no seed is common to all, or a quantity was not logged.

    Example:
        >>> from fanin.experiments.question import Question, Score
        >>> runs = [
        ...     Run(scheme, seed, {"loss": (0.7, loss), "val_loss": (0.7, loss + 0.01 * seed)})
        ...     for scheme, loss in [("zeros", 0.69), ("he_normal", 0.3)]
        ...     for seed in range(8)
        ... ]
        >>> question = Question(("zeros", "he_normal"), tuple(range(8)), Score("val_loss", "min"), "zeros")
        >>> speed = {"trained": 16, "reused": 0, "seconds": 1.0}
        >>> result = compare_runs(runs, question, study={}, environment={}, speed=speed)
        >>> [(row.scheme, round(row.iqm, 3), row.p_adjusted) for row in result.ranking]
        [('he_normal', 0.335, 0.0078125), ('zeros', 0.725, None)]
    """
    samples = as_samples(runs, question)
    record = as_record(samples, question, study=study, notes=notes, environment=environment, speed=speed)
    return Comparison(record, {sample.scheme: sample for sample in samples})


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Which initialization trains a model best, and how far that is beyond luck.

    Args:
        record: All that the comparison says; `to_dict` returns it.
        samples: The runs of each scheme as arrays.
    """

    record: ComparisonRecord
    samples: Mapping[str, Sample] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The answer, in a sentence or two."""
        return self.record["verdict"]

    @cached_property
    def ranking(self) -> tuple[Ranked, ...]:
        """One row a scheme, best first."""
        return tuple(ranked(row) for row in self.record["ranking"])

    @cached_property
    def scores(self) -> dict[str, NDArray[np.float64]]:
        """The final scores of each scheme as they were logged, one a seed."""
        return {scheme: sample.scores for scheme, sample in self.samples.items()}

    @cached_property
    def failed(self) -> dict[str, NDArray[np.bool_]]:
        """Which runs of each scheme failed, one a seed."""
        return {scheme: sample.failed for scheme, sample in self.samples.items()}

    @cached_property
    def curves(self) -> dict[str, NDArray[np.float64]]:
        """The score's metric for each scheme, (seeds, epochs)."""
        return {scheme: self.curve(scheme, self.record["score"]["metric"]) for scheme in self.samples}

    @property
    def time_to_target(self) -> TargetRecord | None:
        """Kaplan-Meier curves and log-rank tests; None without a target."""
        return self.record["time_to_target"]

    @property
    def study(self) -> dict[str, Any]:
        """What was run."""
        return self.record["study"]

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about how the runs were made and counted."""
        return tuple(self.record["notes"])

    def curve(self, scheme: str, metric: str) -> NDArray[np.float64]:
        """Return a logged quantity of a scheme, (seeds, epochs).

        Raises:
            FaninError: There is no such scheme, or nothing of that name was logged.
        """
        curves = self.samples[self._known(scheme)].curves
        if metric not in curves:
            raise FaninError(f"{metric!r} was not logged.", expected=f"one of {', '.join(curves)}")
        return curves[metric]

    def probability_of_improvement(self, a: str, b: str) -> float:
        """Return the probability that a run of a scores better than one of b with the same seed, ties half.

        Raises:
            FaninError: There is no such scheme.
        """
        return self.improvement(a, b)["probability"]

    def improvement(self, a: str, b: str) -> Improvement:
        """Return the probability of improvement of a on b with its 95 % interval.

        Raises:
            FaninError: There is no such scheme, or a is b.
        """
        self._known(a)
        if self._known(b) == a:
            raise FaninError(f"{a} cannot be compared with itself.")
        return next(pair for pair in self.record["improvement"] if (pair["a"], pair["b"]) == (a, b))

    def to_dict(self) -> ComparisonRecord:
        """Return all that the comparison says, as plain data for JSON (see `fanin.report.schema`)."""
        return self.record.copy()

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(self.record, allow_nan=False)

    def save(self, path: str | Path) -> Path:
        """Write it to a file as JSON, and return the path.

        Raises:
            FaninError: The file cannot be written.
        """
        return _write(path, self.to_json())

    def to_html(self, path: str | Path) -> Path:
        """Write the report to a file, one HTML page that needs no network, and return the path.

        Raises:
            FaninError: The file cannot be written.
        """
        from fanin.report.comparison import html

        return _write(path, html.render(self.record))

    def plot(self) -> TopLevelMixin:
        """Return the charts of the comparison, as one Altair chart."""
        from fanin.report.comparison import charts

        return charts.overview(self.record)

    def _repr_html_(self) -> str:
        from fanin.report.comparison import html

        return html.fragment(self.record)

    def __rich__(self) -> RenderableType:
        from fanin.report.comparison import text

        return text.render(self.record)

    def __str__(self) -> str:
        from io import StringIO

        from rich.console import Console

        console = Console(file=StringIO(), width=80, color_system=None, force_terminal=False)
        with console.capture() as capture:
            console.print(self)
        return capture.get().rstrip("\n")

    def __repr__(self) -> str:
        return f"<Comparison: {self.verdict}>"

    def _known(self, scheme: str) -> str:
        if scheme not in self.samples:
            near = nearest(scheme, self.samples)
            raise FaninError(
                f"{scheme!r} was not compared.",
                expected=f"one of {', '.join(self.samples)}",
                fix=f"did you mean {near}?" if near else "",
            )
        return scheme


def _write(path: str | Path, content: str) -> Path:
    try:
        Path(path).write_text(content, encoding="utf-8")
    except OSError as error:
        raise FaninError(
            f"{path} cannot be written: {error.strerror}.", expected="a file in a folder that exists"
        ) from error
    return Path(path)
