"""The phase diagram of an activation: order and chaos over the variances of weights and biases."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fanin.errors import FaninError
from fanin.report.gain.record import finite
from fanin.report.phase.record import DIAGRAM_SCHEMA, DiagramRecord
from fanin.theory.activation import Activation, Array
from fanin.theory.critical_line import CriticalLine, critical_line_of
from fanin.theory.meanfield_levels import levels_of
from fanin.theory.phase_grid import phase_grid

if TYPE_CHECKING:
    import altair as alt
    from rich.console import RenderableType

Range = tuple[float, float]

_TYPICAL = 1.5  # variances of the pre-activations that a diagram shows the critical line up to
_LARGE = 10.0
_AROUND = 1.6
_MOST = 400
_NAMES = np.array(["ordered", "chaotic", "vanishing", "unbounded"], dtype=object)


@dataclass(frozen=True, eq=False)
class PhaseDiagram:
    """What depth does, over the variances of weights and biases.

    Tables have a row for each variance of the biases and a column for each variance of the weights; numbers
    that are unknown are nan.

    Args:
        name: The activation's name.
        weight_variances: sigma_w^2, (columns,).
        bias_variances: sigma_b^2, (rows,).
        phase: "ordered", "chaotic", "vanishing" or "unbounded".
        q: Where the variance comes to rest from 1.
        chi_1: The gradient's factor.
        c: Where the correlation of two inputs comes to rest.
        xi_q: Depth scale of the variance.
        xi_c: Depth scale of the correlation.
        line: The critical line; None where the activation jumps, so that all is chaos.

    Example:
        >>> from fanin import phase_diagram
        >>> diagram = phase_diagram("tanh")
        >>> diagram.phase[0, 0], diagram.phase[0, -1]
        ('ordered', 'chaotic')

    References:
        Poole et al. (2016), arXiv:1606.05340, figure 1; Schoenholz et al. (2017), arXiv:1611.01232, figure 1.
    """

    name: str
    weight_variances: Array
    bias_variances: Array
    phase: np.ndarray
    q: Array = field(repr=False)
    chi_1: Array = field(repr=False)
    c: Array = field(repr=False)
    xi_q: Array = field(repr=False)
    xi_c: Array = field(repr=False)
    line: CriticalLine | None = field(repr=False)

    def to_dict(self) -> DiagramRecord:
        """Return it as plain data for JSON (see docs/json.md); what is infinite or unknown is None."""
        return {
            "schema": DIAGRAM_SCHEMA,
            "name": self.name,
            "weight_variances": self.weight_variances.tolist(),
            "bias_variances": self.bias_variances.tolist(),
            "phase": self.phase.tolist(),
            "q": _table(self.q),
            "chi_1": _table(self.chi_1),
            "c": _table(self.c),
            "xi_q": _table(self.xi_q),
            "xi_c": _table(self.xi_c),
            "line": None if self.line is None else self.line.to_dict(),
        }

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    def plot(self) -> alt.LayerChart:
        """Return it as an Altair chart: phases by hue, depth scales by strength, and the critical line."""
        from fanin.report.phase import diagram

        return diagram.chart(self.to_dict())

    def to_html(self, path: str | Path) -> Path:
        """Write it as a page that needs no network, and return its path.

        Args:
            path: The file.
        """
        from fanin.report.phase import html

        return html.write(path, html.diagram_page(self.to_dict()))

    def __rich__(self) -> RenderableType:
        from fanin.report.phase import text

        return text.render_diagram(self.to_dict())

    def _repr_html_(self) -> str:
        from fanin.report.phase import html

        return html.diagram_fragment(self.to_dict())

    def __str__(self) -> str:
        from fanin.report.phase import text

        return text.plain_diagram(self.to_dict())


def phase_diagram_of(
    activation: Activation,
    weights: Range | None = None,
    biases: Range | None = None,
    size: tuple[int, int] = (96, 64),
) -> PhaseDiagram:
    """Return the phase diagram of an activation.

    Args:
        activation: The function.
        weights: Least and greatest sigma_w^2; by default about the critical line.
        biases: Least and greatest sigma_b^2.
        size: Columns and rows.

    Raises:
        FaninError: A range is none, the function cannot be followed, or its slope has no bound.
    """
    levels = levels_of(activation)
    if levels.panels.singular:
        raise FaninError(
            f"{activation.name} has no phase diagram: its slope has no bound, so nobody knows chi_1."
        )
    try:
        line = critical_line_of(activation, levels)
    except FaninError:
        line = None  # a jump: nothing is critical
    weights, biases = _ranges(line, weights, biases)
    columns, rows = _centres("size", size[0], weights), _centres("size", size[1], biases)
    found = phase_grid(levels, columns, rows)
    return PhaseDiagram(activation.name, columns, rows, _NAMES[found.phase], *found[1:], line)


def _ranges(line: CriticalLine | None, weights: Range | None, biases: Range | None) -> tuple[Range, Range]:
    """Return the ranges, by default so that the critical line runs through their middle."""
    halves = [1.3 * point.q for point in line.half_stable if point.q < _LARGE] if line else []
    points = [point for point in line.points if 1e-3 < point.q < max([_TYPICAL, *halves])] if line else []
    if line and not points:
        points = list(line.points[:1])
    most_bias = max((point.bias_variance for point in points), default=0.0)
    most_weight = max((point.weight_variance for point in points), default=2.0)
    return weights or (0.0, _AROUND * most_weight), biases or (0.0, _AROUND * most_bias or 1.0)


def _centres(name: str, count: int, ends: Range) -> Array:
    """Return the middles of as many equal parts of a range."""
    low, high = ends
    if not 0 <= low < high < math.inf:
        raise FaninError(
            f"The range {low:g} to {high:g} is none.", expected="0 or more, and finite, in order"
        )
    if not 2 <= count <= _MOST:
        raise FaninError(f"{name} has {count!r}.", expected=f"2 to {_MOST} columns and rows")
    return low + (np.arange(count) + 0.5) * (high - low) / count


def _table(values: Array) -> list[list[float | None]]:
    return [[finite(float(value)) for value in row] for row in values]
