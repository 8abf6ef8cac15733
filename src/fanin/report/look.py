"""How charts look: one colour and one dash for each scheme, the same in every panel, light and dark.

The colours are Okabe and Ito's, told apart in every common form of colour blindness; the yellow is
darkened on white, where it could not be seen. After eight schemes the dash changes.

References:
    Okabe, Ito (2008), Color Universal Design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

COLOURS = {
    "light": ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#A39300", "#6E6E6E"),
    "dark": ("#4DA6E0", "#EE6C2D", "#21C297", "#E196C1", "#F2B134", "#85CCF5", "#F0E442", "#ABABAB"),
}
COLOUR_NAMES = tuple(f"s{index}" for index in range(len(COLOURS["light"])))
WIDTH = 560
"""Pixels of a chart outside a page."""

DASHES = ((), (6, 3), (2, 2), (8, 3, 2, 3), (12, 4))


@dataclass(frozen=True)
class Look:
    """Colours of a chart, as any CSS colour.

    Args:
        ink: Text and marks that matter.
        muted: Axis labels.
        grid: Grid lines.
        paper: The background.
        colours: One for each of the first eight schemes.
        better: Where a scheme beats another.
        worse: Where it loses.
        bad: A failed run.
        page: Whether the chart lives in a page that holds its data, legend and switches.
    """

    ink: str
    muted: str
    grid: str
    paper: str
    colours: tuple[str, ...]
    better: str
    worse: str
    bad: str
    page: bool = False

    def colours_of(self, schemes: Sequence[str]) -> list[str]:
        """Return a colour for each scheme."""
        return [self.colours[index % len(self.colours)] for index in range(len(schemes))]

    def dashes_of(self, schemes: Sequence[str]) -> list[list[int]]:
        """Return a dash for each scheme."""
        return [list(dash(index)) for index in range(len(schemes))]


def dash(index: int) -> tuple[int, ...]:
    """Return the dash of the scheme at some place.

    Example:
        >>> dash(0), dash(8)
        ((), (6, 3))
    """
    return DASHES[index // len(COLOURS["light"]) % len(DASHES)]


_PLAIN = {
    "light": {"ink": "#1b1f24", "muted": "#59616b", "grid": "#e4e7eb", "paper": "#ffffff", "bad": "#c0262d"},
    "dark": {"ink": "#e8eaed", "muted": "#a2aab4", "grid": "#30363d", "paper": "#14171a", "bad": "#ff7b72"},
}


def _names(theme: str) -> dict[str, str]:
    """Return every colour of a theme by its name in CSS."""
    colours = dict(zip(COLOUR_NAMES, COLOURS[theme], strict=True))
    return _PLAIN[theme] | {"better": colours["s0"], "worse": colours["s1"]} | colours


def css_variables(theme: str) -> str:
    """Return a theme's colours as CSS custom properties, which PAGE's charts are drawn with.

    Example:
        >>> css_variables("dark").split(";")[0]
        '--ink:#e8eaed'
    """
    return "".join(f"--{name}:{value};" for name, value in _names(theme).items())


def _look(names: dict[str, str], *, page: bool = False) -> Look:
    plain = {name: value for name, value in names.items() if name not in COLOUR_NAMES}
    return Look(**plain, colours=tuple(names[name] for name in COLOUR_NAMES), page=page)


LIGHT = _look(_names("light"))
PAGE = _look({name: f"var(--{name})" for name in _names("light")}, page=True)


def config(look: Look) -> dict[str, Any]:
    """Return the Vega-Lite configuration of a look."""
    text = {"labelFont": FONT, "titleFont": FONT, "labelFontSize": 12, "titleFontSize": 12}
    axis = text | {
        "labelColor": look.muted,
        "titleColor": look.muted,
        "titleFontWeight": 500,
        "titlePadding": 8,
        "gridColor": look.grid,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
        "labelSeparation": 8,
    }
    return {
        "background": "transparent" if look.page else look.paper,
        "font": FONT,
        "aria": not look.page,
        "view": {"stroke": None},
        "axis": axis,
        "axisY": {"labelLimit": 190},
        "legend": text
        | {
            "labelColor": look.ink,
            "titleColor": look.muted,
            "labelLimit": 220,
            "symbolSize": 220,
            "symbolStrokeWidth": 2.5,
        },
        "title": {
            "color": look.ink,
            "font": FONT,
            "fontSize": 13,
            "fontWeight": 600,
            "anchor": "start",
            "frame": "group",
        },
        "text": {"color": look.ink, "font": FONT, "fontSize": 12},
    }
