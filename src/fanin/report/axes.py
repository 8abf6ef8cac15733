"""Axes that charts along the depth of a model have in common."""

from __future__ import annotations

import math
from collections.abc import Iterable

import altair as alt

_FEW_DECADES = 2.5


def layers(field: str = "name", label: str = "datum.label") -> alt.X:
    """Return an axis of layers in the order of `place`, whose labels are the ends of their paths.

    Args:
        field: What tells layers apart.
        label: Vega's expression for the path.
    """
    end = f"length({label}) > 19 ? '…' + slice({label}, -18) : {label}"
    axis = alt.Axis(labelExpr=end, labelAngle=-50, labelOverlap="greedy", grid=False, labelFontSize=10)
    return alt.X(f"{field}:N", title=None, axis=axis, sort=alt.EncodingSortField("place", order="ascending"))


def decades(values: Iterable[float | None]) -> tuple[float, float]:
    """Return the ends of a logarithmic axis, a decade apart at least, as powers of ten.

    Example:
        >>> decades([1.0, 10.0])
        (-0.04, 1.04)
    """
    logs = [math.log10(value) for value in values if value]
    low, high = (min(logs), max(logs)) if logs else (0.0, 0.0)
    spare = max(0.04 * (high - low), (1 - (high - low)) / 2)
    return low - spare, high + spare


def logarithmic(low: float, high: float) -> alt.Y:
    """Return an axis with the powers of ten, and where there are few of them, with 2 and 5 times these.

    Args:
        low: Where it begins, as a power of ten.
        high: Where it ends.
    """
    every = max(round((high - low) / 6), 1)
    digits = (1, 2, 5) if high - low < _FEW_DECADES else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1, every if digits == (1,) else 1)
    values = [
        value
        for power in powers
        for digit in digits
        if low <= math.log10(value := digit * 10.0**power) <= high
    ]
    scale = alt.Scale(type="log", domain=[10**low, 10**high], nice=False)
    plainly = "datum.value >= 1e-3 && datum.value < 1e5"
    label = f"{plainly} ? format(datum.value, '~g') : format(datum.value, '~e')"
    return alt.Y("value:Q", title=None, scale=scale).axis(values=values, labelExpr=label)
