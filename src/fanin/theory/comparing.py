"""Two profiles of one model, such as what was predicted and what was measured."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError
from fanin.report.profile.record import (
    COMPARISON_SCHEMA,
    AgreementRecord,
    ComparisonRecord,
    DifferenceRecord,
)
from fanin.theory.profile import Estimate, LayerSignal, SignalProfile
from fanin.theory.profile_records import estimate

if TYPE_CHECKING:
    from rich.console import RenderableType

_LAYERS: dict[str, Callable[[LayerSignal], Estimate | None]] = {
    "forward.q": lambda layer: layer.forward and layer.forward.q,
    "forward.mean": lambda layer: layer.forward and layer.forward.mean,
    "forward.c": lambda layer: layer.forward and layer.forward.c,
    "backward.q": lambda layer: layer.backward and layer.backward.q,
    "backward.c": lambda layer: layer.backward and layer.backward.c,
}
_NOTHING = 1e-9  # of the largest gradient
_FACTORS = ("forward.q", "backward.q", "gradient")  # what is compared by its ratio


@dataclass(frozen=True)
class Difference:
    """One quantity of a layer or a parameter in two profiles.

    Args:
        name: The layer or the parameter.
        quantity: "forward.q", "forward.mean", "forward.c", "backward.q", "backward.c" or "gradient".
        one: In the one profile.
        other: In the other.
        step: (other / other of the layer before) / (one / one of the layer before); None for the first.

    Example:
        >>> found = Difference("fc", "forward.q", Estimate(2.0, 0.0, 0.1), Estimate(2.1))
        >>> round(found.ratio, 3), round(found.sigmas, 3)
        (1.05, 1.0)
    """

    name: str
    quantity: str
    one: Estimate
    other: Estimate
    step: float | None = None

    @property
    def ratio(self) -> float | None:
        """The other over the one; None where a ratio says nothing."""
        return _ratio(self.other.value, self.one.value) if self.quantity in _FACTORS else None

    @property
    def sigmas(self) -> float | None:
        """Their difference over what one network may differ, in standard deviations; None if nobody knows."""
        bar = math.hypot(self.one.bar(1), self.other.error)
        apart = abs(self.other.value - self.one.value)
        return apart / bar if bar and math.isfinite(apart / bar) else None


@dataclass(frozen=True)
class Agreement:
    """How far two profiles agree on a quantity.

    Args:
        quantity: As for `Difference`.
        count: How many layers or parameters have it in both.
        within: Share of them within two standard deviations; None where no deviation is known.
        ratio: Median of ratios; None where a ratio says nothing.
        worst: The ratio farthest from 1.
        step: Median of the factors max(s, 1 / s) of steps from layer to layer.
        worst_step: The largest one.
        where: The layer of the largest step.
    """

    quantity: str
    count: int
    within: float | None
    ratio: float | None = None
    worst: float | None = None
    step: float | None = None
    worst_step: float | None = None
    where: str = ""


@dataclass(frozen=True, eq=False)
class ProfileComparison:
    """Two profiles of one model, side by side.

    Args:
        one: The one, usually predicted.
        other: The other, usually measured.
        differences: Of every quantity that both know.
        missing: Layers of either that the other does not have, or does not know.
    """

    one: SignalProfile
    other: SignalProfile
    differences: tuple[Difference, ...]
    missing: tuple[str, ...] = ()

    @property
    def agreement(self) -> tuple[Agreement, ...]:
        """How far they agree, quantity by quantity."""
        return tuple(
            _agreement(quantity, found)
            for quantity in (*_LAYERS, "gradient")
            if (found := [d for d in self.differences if d.quantity == quantity])
        )

    def plot(self) -> Any:
        """Return an Altair chart: the one as lines in bands, the other as points."""
        return self.one.plot(self.other)

    def to_dict(self) -> ComparisonRecord:
        """Return it as plain data for JSON (see docs/json.md)."""
        return {
            "schema": COMPARISON_SCHEMA,
            "one": self.one.to_dict(),
            "other": self.other.to_dict(),
            "differences": [_difference_record(found) for found in self.differences],
            "agreement": [_agreement_record(found) for found in self.agreement],
            "missing": list(self.missing),
        }

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def to_html(self, path: str | Path) -> Path:
        """Write a page that needs no network, with charts and tables.

        Raises:
            FaninError: The file cannot be written.
        """
        return self.one.to_html(path, self.other)

    def __rich__(self) -> RenderableType:
        from fanin.report.profile import comparison

        return comparison.render(self.to_dict())

    def __str__(self) -> str:
        from fanin.report.profile import comparison

        return comparison.plain_text(self.to_dict())

    def _repr_html_(self) -> str:
        from fanin.report.profile import html

        return html.comparison_fragment(self.to_dict())


def compare(one: SignalProfile, other: SignalProfile) -> ProfileComparison:
    """Return two profiles side by side.

    Args:
        one: A profile.
        other: Another one of the same model.

    Raises:
        FaninError: They have no layer in common.

    Example:
        >>> from fanin.theory.profile import Forward
        >>> def profile(q):
        ...     return SignalProfile((LayerSignal("fc", forward=Forward(Estimate(0.0), Estimate(q))),))
        >>> [found.ratio for found in compare(profile(2.0), profile(3.0)).differences]
        [1.5, None]
    """
    there = set(other)
    names = [name for name in one if name in there]
    if not names:
        raise FaninError(
            "The profiles have no layer in common.",
            expected="two profiles of one model, read in the same way",
        )
    known = [*_of_layers(one, other, names), *_of_parameters(one, other)]
    told = {found.name for found in known}
    missing = tuple(dict.fromkeys(name for name in (*one, *other) if name not in told))
    return ProfileComparison(one, other, tuple(known), missing)


def _of_layers(one: SignalProfile, other: SignalProfile, names: list[str]) -> Iterator[Difference]:
    mine, theirs = ({layer.name: layer for layer in profile.layers} for profile in (one, other))
    for quantity, read in _LAYERS.items():
        before: tuple[float, float] | None = None
        for name in names:
            a, b = read(mine[name]), read(theirs[name])
            if a is None or b is None:
                continue
            step = None
            if quantity in _FACTORS:
                step = _step(before, (a.value, b.value))
                before = a.value, b.value
            yield Difference(name, quantity, a, b, step)


def _of_parameters(one: SignalProfile, other: SignalProfile) -> Iterator[Difference]:
    theirs = {parameter.name: parameter.gradient for parameter in other.parameters}
    nothing = _NOTHING * max((p.gradient.value for p in one.parameters if p.gradient), default=0.0)
    for parameter in one.parameters:
        gradient = theirs.get(parameter.name)
        if parameter.gradient is None or gradient is None:
            continue
        # What is 0 to rounding, as of a bias before a norm, is as far from 0 as rounding has it.
        if max(parameter.gradient.value, gradient.value) > nothing:
            yield Difference(parameter.name, "gradient", parameter.gradient, gradient)


def _step(before: tuple[float, float] | None, now: tuple[float, float]) -> float | None:
    if before is None:
        return None
    mine, theirs = _ratio(now[0], before[0]), _ratio(now[1], before[1])
    return None if mine is None or theirs is None else _ratio(theirs, mine)


def _ratio(value: float, other: float) -> float | None:
    if value <= 0 or other <= 0:
        return None
    ratio = value / other
    return ratio if 0 < ratio < math.inf else None


def _agreement(quantity: str, found: list[Difference]) -> Agreement:
    sigmas = [d.sigmas for d in found if d.sigmas is not None]
    ratios = [d.ratio for d in found if d.ratio is not None]
    steps = {d.name: max(d.step, 1 / d.step) for d in found if d.step is not None}
    where = max(steps, key=lambda name: steps[name], default="")
    return Agreement(
        quantity,
        len(found),
        sum(value <= 2 for value in sigmas) / len(sigmas) if sigmas else None,
        median(ratios) if ratios else None,
        max(ratios, key=lambda ratio: abs(math.log(ratio)), default=None),
        median(steps.values()) if steps else None,
        steps[where] if where else None,
        where,
    )


def _difference_record(found: Difference) -> DifferenceRecord:
    return {
        "name": found.name,
        "quantity": found.quantity,
        "one": estimate(found.one),
        "other": estimate(found.other),
        "ratio": found.ratio,
        "sigmas": found.sigmas,
        "step": found.step,
    }


def _agreement_record(found: Agreement) -> AgreementRecord:
    return {
        "quantity": found.quantity,
        "count": found.count,
        "within": found.within,
        "ratio": found.ratio,
        "worst": found.worst,
        "step": found.step,
        "worst_step": found.worst_step,
        "where": found.where,
    }
