"""The documented, versioned shapes of what profiles say of themselves (`to_dict`, `--json`)."""

from __future__ import annotations

from typing import TypedDict

SCHEMA = "fanin.profile/1"
COMPARISON_SCHEMA = "fanin.profile_comparison/1"


class EstimateRecord(TypedDict):
    """A number, its standard error, and its standard deviation from network to network; None: not finite."""

    value: float | None
    error: float | None
    chance: float | None


class ForwardRecord(TypedDict):
    """A layer's outputs: mean, second moment, correlation of two examples."""

    mean: EstimateRecord
    q: EstimateRecord
    c: EstimateRecord | None


class BackwardRecord(TypedDict):
    """The gradient with respect to them: second moment, correlation of two examples."""

    q: EstimateRecord
    c: EstimateRecord | None


class LayerRecord(TypedDict):
    """What goes through a layer; None is unknown, and `unknown` says why."""

    name: str
    type: str
    shape: list[int]
    forward: ForwardRecord | None
    backward: BackwardRecord | None
    chi_1: float | None
    unknown: str
    where: str


class ParameterRecord(TypedDict):
    """A parameter's second moment, and that of its gradient."""

    name: str
    shape: list[int]
    second_moment: float | None
    gradient: EstimateRecord | None


class ProfileRecord(TypedDict):
    """All that a profile says."""

    schema: str
    source: str
    model: str
    inputs: str
    cotangent: str
    notes: list[str]
    layers: list[LayerRecord]
    parameters: list[ParameterRecord]


class DifferenceRecord(TypedDict):
    """One quantity of one layer or parameter, of both profiles.

    `quantity` is "forward.q", "forward.mean", "forward.c", "backward.q", "backward.c" or "gradient"; `sigmas`
    is the difference in standard deviations, `step` the ratio of both profiles' ratios to the layer before.
    """

    name: str
    quantity: str
    one: EstimateRecord
    other: EstimateRecord
    ratio: float | None
    sigmas: float | None
    step: float | None


class AgreementRecord(TypedDict):
    """How far two profiles agree on a quantity."""

    quantity: str
    count: int
    within: float | None
    ratio: float | None
    worst: float | None
    step: float | None
    worst_step: float | None
    where: str


class ComparisonRecord(TypedDict):
    """Two profiles of one model, side by side."""

    schema: str
    one: ProfileRecord
    other: ProfileRecord
    differences: list[DifferenceRecord]
    agreement: list[AgreementRecord]
    missing: list[str]
