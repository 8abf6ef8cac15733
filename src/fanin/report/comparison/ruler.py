"""The axis of scores, in expressions that the chart evaluates at the width it is drawn at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import altair as alt

from fanin.report.comparison.channels import unzeroed


@dataclass(frozen=True)
class Ruler:
    """An axis of scores with some pixels to spare at either end.

    A score's place on it is the score itself, or its logarithm.

    Args:
        kind: Straight or logarithmic.
        low: The least place, as an expression.
        high: The greatest.
        left: Pixels to spare before it.
        right: Pixels to spare behind it.
        width: Pixels in all, as an expression.
    """

    kind: Literal["log", "linear"]
    low: str
    high: str
    left: int
    right: int
    width: str

    def measure(self, score: float) -> float:
        """Return the place of a score."""
        return math.log(score) if self.kind == "log" else score

    def place(self, score: str) -> str:
        """Return the place of a score, as expressions."""
        return f"log({score})" if self.kind == "log" else f"({score})"

    def score(self, place: str) -> str:
        """Return the score at a place, as expressions."""
        return f"exp({place})" if self.kind == "log" else f"({place})"

    @property
    def pixel(self) -> str:
        """The length of a pixel."""
        return f"(({self.high} - {self.low}) / max({self.width} - {self.left + self.right}, 40))"

    @property
    def start(self) -> str:
        """The place of the left end."""
        return f"({self.low} - {self.left} * {self.pixel})"

    @property
    def stop(self) -> str:
        """The place of the right end."""
        return f"({self.high} + {self.right} * {self.pixel})"

    def scale(self) -> alt.Scale:
        """Return the scale from end to end."""
        ends = [alt.ExprRef(self.score(end)) for end in (self.start, self.stop)]
        zero = unzeroed(self.kind)
        return alt.Scale(type=self.kind, nice=False, zero=zero, domainMin=ends[0], domainMax=ends[1])
