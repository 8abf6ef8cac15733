"""The documented, versioned shapes of mean field results (`to_dict`, `--json`)."""

from __future__ import annotations

from typing import TypedDict

MEAN_FIELD_SCHEMA = "fanin.mean_field/1"
LINE_SCHEMA = "fanin.critical_line/1"
DIAGRAM_SCHEMA = "fanin.phase_diagram/1"


class FixedPointRecord(TypedDict):
    """A variance that stays, the variance map's slope there, and whether it is stable."""

    q: float
    slope: float
    stability: str


class CurveRecord(TypedDict):
    """A map drawn: what each x becomes; None is infinite."""

    x: list[float]
    y: list[float | None]


class MeanFieldRecord(TypedDict):
    """All that mean field theory says of one pair of variances; None is an infinite or unknown number."""

    schema: str
    name: str
    weight_variance: float
    bias_variance: float
    phase: str
    q: float | None
    slope: float | None
    chi_1: float | None
    c: float | None
    chi_c: float | None
    xi_q: float | None
    xi_c: float | None
    xi_gradient: float | None
    trainable_depth: float | None
    fixed_points: list[FixedPointRecord]
    variance_map: CurveRecord
    correlation_map: CurveRecord | None
    notes: list[str]


class CriticalPointRecord(TypedDict):
    """A point of the critical line: variances for which chi_1 = 1 at q."""

    q: float
    weight_variance: float
    bias_variance: float
    slope: float
    stability: str


class LineRecord(TypedDict):
    """The critical line of an activation."""

    schema: str
    name: str
    points: list[CriticalPointRecord]
    without_bias: list[CriticalPointRecord]
    half_stable: list[CriticalPointRecord]
    notes: list[str]


class DiagramRecord(TypedDict):
    """A phase diagram: tables have a row for each bias variance and a column for each weight variance."""

    schema: str
    name: str
    weight_variances: list[float]
    bias_variances: list[float]
    phase: list[list[str]]
    q: list[list[float | None]]
    chi_1: list[list[float | None]]
    c: list[list[float | None]]
    xi_q: list[list[float | None]]
    xi_c: list[list[float | None]]
    line: LineRecord | None
