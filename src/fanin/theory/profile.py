"""The signals of a model, layer by layer: one type for what is predicted and what is measured."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fanin.errors import FaninError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fanin.report.profile.record import ProfileRecord
    from fanin.theory.comparing import ProfileComparison


@dataclass(frozen=True)
class Estimate:
    """A number with what is not known of it.

    Args:
        value: The number: of a prediction, its expectation over random first weights.
        error: Standard error of the value; 0 where it is exact or, of one measurement, unknown.
        chance: Standard deviation from one network's first weights to the next one's.

    Example:
        >>> Estimate(2.0, 0.1, 0.2).bar(1)
        0.2236...
    """

    value: float
    error: float = 0.0
    chance: float = 0.0

    def bar(self, sigmas: float = 2.0) -> float:
        """Return how far from the value one network's may lie, in so many standard deviations."""
        return sigmas * math.hypot(self.error, self.chance)


@dataclass(frozen=True)
class Forward:
    """A layer's outputs.

    Args:
        mean: Mean of all elements.
        q: E[x^2], their second moment.
        c: Correlation of the outputs of two inputs, E[x x'] / E[x^2] at the same place; None for one example.
    """

    mean: Estimate
    q: Estimate
    c: Estimate | None = None


@dataclass(frozen=True)
class Backward:
    """The gradient with respect to a layer's outputs.

    Args:
        q: E[g^2], its second moment.
        c: Correlation of the gradients of two inputs; None for one example.
    """

    q: Estimate
    c: Estimate | None = None


@dataclass(frozen=True)
class LayerSignal:
    """What goes through a layer.

    Args:
        name: Path of the module, or the node's name where it is none.
        type: The module's type, or the op.
        shape: Shape of its outputs.
        forward: Its outputs; None where unknown.
        backward: The gradient with respect to them; None where unknown, or where none was asked for.
        chi_1: For a layer with weights that reads an activation f of a layer before: fan_in Var(w) E[f'^2],
            by which the squared distance of two close inputs is multiplied.
        unknown: Why something is None: the op that is not understood, and where; else "".
        where: File and line, or the module.
    """

    name: str
    type: str = ""
    shape: tuple[int, ...] = ()
    forward: Forward | None = None
    backward: Backward | None = None
    chi_1: float | None = None
    unknown: str = ""
    where: str = ""


@dataclass(frozen=True)
class ParameterSignal:
    """A parameter and its gradient.

    Args:
        name: Its path in the model.
        shape: Its shape.
        second_moment: E[w^2]; None where unknown.
        gradient: E[dw^2] of the gradient; None where unknown.
    """

    name: str
    shape: tuple[int, ...] = ()
    second_moment: float | None = None
    gradient: Estimate | None = None


@dataclass(frozen=True, eq=False)
class SignalProfile(Mapping[str, LayerSignal]):
    """The signals of a model along its depth.

    Args:
        layers: In the order of execution.
        parameters: Every trained parameter that the model reads.
        source: "predicted" or "measured".
        model: What the model is called.
        inputs: What it was given, in words.
        cotangent: What the gradients are of, in words.
        notes: What to know about it.

    Example:
        >>> profile = SignalProfile((LayerSignal("fc"),), source="predicted")
        >>> profile["fc"].forward is None, list(profile)
        (True, ['fc'])
    """

    layers: tuple[LayerSignal, ...]
    parameters: tuple[ParameterSignal, ...] = ()
    source: Literal["predicted", "measured"] = "predicted"
    model: str = ""
    inputs: str = ""
    cotangent: str = ""
    notes: tuple[str, ...] = field(default=())

    def __getitem__(self, name: str) -> LayerSignal:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (layer.name for layer in self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def chi_1(self) -> float | None:
        """Geometric mean of chi_1 over the layers where it is known, each once."""
        from fanin.report.profile.depth import shown

        values = [layer["chi_1"] for layer in shown(self.to_dict()) if layer["chi_1"]]
        return math.exp(sum(map(math.log, values)) / len(values)) if values else None

    def compare(self, other: SignalProfile) -> ProfileComparison:
        """Return this profile beside another one of the same model.

        Args:
            other: Such as what `measure` found, beside what `propagate` predicts.

        Raises:
            FaninError: They have no layer in common.
        """
        from fanin.theory.comparing import compare

        return compare(self, other)

    def plot(self, measured: SignalProfile | None = None) -> Any:
        """Return an Altair chart of second moments along the depth, forward and backward.

        Args:
            measured: Another profile, drawn as points.
        """
        from fanin.report.profile import charts

        return charts.chart(self.to_dict(), None if measured is None else measured.to_dict())

    def to_dict(self) -> ProfileRecord:
        """Return it as plain data for JSON (see docs/json.md); what is not finite is None."""
        from fanin.theory.profile_records import record_of

        return record_of(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return it as JSON, and write it to a file if a path is given."""
        text = json.dumps(self.to_dict(), allow_nan=False)
        if path is not None:
            from fanin.report.profile.html import write

            write(path, text)
        return text

    @classmethod
    def from_json(cls, source: str | Path) -> SignalProfile:
        """Return a profile from JSON, or from a file of it.

        Raises:
            FaninError: It is no profile.
        """
        from fanin.theory.profile_records import profile_of

        text = str(source)
        if isinstance(source, Path) or not text.lstrip().startswith("{"):
            text = _read(Path(source))
        try:
            return profile_of(json.loads(text))
        except json.JSONDecodeError as error:
            raise FaninError(f"This is no JSON: {error}.", expected="what to_json() returns") from error

    def to_html(self, path: str | Path, measured: SignalProfile | None = None) -> Path:
        """Write a page that needs no network, with charts and tables.

        Args:
            path: The file.
            measured: Another profile, shown beside this one.

        Raises:
            FaninError: The file cannot be written.
        """
        from fanin.report.profile import html

        beside = None if measured is None else self.compare(measured).to_dict()
        return html.write(path, html.page(self.to_dict(), beside))

    def __rich__(self) -> RenderableType:
        from fanin.report.profile import text

        return text.render(self.to_dict())

    def __str__(self) -> str:
        from fanin.report.profile import text

        return text.plain_text(self.to_dict())

    def _repr_html_(self) -> str:
        from fanin.report.profile import html

        return html.fragment(self.to_dict())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise FaninError(f"{path} cannot be read: {reason}.", expected="a file that to_json wrote") from error
