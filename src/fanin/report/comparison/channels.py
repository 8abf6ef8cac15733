"""Encodings that the panels of a comparison share, so that a scheme looks the same in each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import altair as alt

from fanin.report.comparison import tables
from fanin.report.look import Look
from fanin.report.schema import ComparisonRecord

Channel = TypeVar("Channel", alt.X, alt.Y)

NONE_PICKED = "length(picked) == 0"
PICKED = "indexof(picked, datum.scheme) >= 0"


def ranked(record: ComparisonRecord) -> list[str]:
    """Return the schemes, best first."""
    return [row["scheme"] for row in record["ranking"]]


def colour(record: ComparisonRecord, look: Look, *, legend: bool = False) -> alt.Color:
    """Return the colour of a scheme; a page has a legend of its own."""
    names = tables.schemes(record)
    key = (
        alt.Legend(title=None, orient="bottom", columns=4, symbolOpacity=1, symbolType="stroke")
        if legend and not look.page
        else None
    )
    return alt.Color("scheme:N").scale(domain=names, range=look.colours_of(names)).legend(key)


def dashes(record: ComparisonRecord, look: Look) -> alt.StrokeDash:
    """Return the dash of a scheme, which tells it from the schemes that share its colour."""
    names = tables.schemes(record)
    return alt.StrokeDash("scheme:N").scale(domain=names, range=look.dashes_of(names)).legend(None)


def rows(record: ComparisonRecord, look: Look) -> alt.Y:
    """Return the schemes from top to bottom, best first."""
    axis = alt.Axis(grid=False, labelColor=look.ink)
    return alt.Y("scheme:N", title=None, axis=axis).scale(domain=ranked(record), padding=0.2)


def tick_format(kind: str, values: Iterable[float | None]) -> Any:
    """Return how the numbers of an axis are written: as few digits as tell them apart, and no long zeros.

    Example:
        >>> tick_format("log", [0.01, 10.0]), tick_format("linear", [0.0, 2e7])
        ('~g', '~e')
        >>> tick_format("linear", [0.84, 0.96])
        Undefined
    """
    top = max((abs(value) for value in values if value is not None), default=1.0)
    if kind == "log":
        return "~g"
    return "~e" if top >= 1e6 or 0 < top < 1e-3 else alt.Undefined


def unzeroed(kind: str) -> Any:
    """Return the `zero` of a scale that need not start there; Vega warns where it cannot."""
    return alt.Undefined if kind == "log" else False


def also(channel: Channel, field: str) -> Channel:
    """Return a channel for another field on the same axis."""
    other = channel.copy()
    other.shorthand = field
    return other


def opacity(look: Look, normal: float, *, picked: float | None = None) -> Any:
    """Return an opacity that falls where the reader of a page has picked other schemes.

    Args:
        look: Whether there is a page.
        normal: The opacity while nothing is picked.
        picked: The opacity of what is picked; by default the normal one.
    """
    if not look.page:
        return alt.value(normal)
    chosen = normal if picked is None else picked
    cases = [{"test": NONE_PICKED, "value": normal}, {"test": PICKED, "value": chosen}]
    return alt.OpacityValue(min(normal, 0.06), condition=cases)
