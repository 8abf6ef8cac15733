"""The documented, versioned shape of what a diagnosis says of itself (`to_dict`, `--format json`)."""

from __future__ import annotations

from typing import Any, TypedDict

SCHEMA = "fanin.diagnosis/1"


class SourceRecord(TypedDict):
    """Where a class is written; an empty `file` is unknown."""

    file: str
    line: int


class FixRecord(TypedDict):
    """What mends a fault: in words, and where that does it, the scheme that draws some layers anew."""

    text: str
    scheme: str
    layers: list[str]
    inputs: bool


class ConsequenceRecord(TypedDict):
    """What a rule found, and follows from something else."""

    code: str
    name: str
    severity: str
    where: str
    message: str
    observed: float | None
    expected: str
    evidence: dict[str, Any]
    fix: FixRecord | None
    source: SourceRecord


class FindingRecord(ConsequenceRecord):
    """What a rule found, with what follows from it."""

    consequences: list[ConsequenceRecord]


class CountsRecord(TypedDict):
    """Findings by severity; what follows from them is not counted."""

    error: int
    warning: int
    info: int


class SpreadRecord(TypedDict):
    """Moments of a tensor: `scale` is sqrt(E[x^2]); `largest` is of |x|; all of its finite elements."""

    scale: float | None
    mean: float | None
    sd: float | None
    largest: float | None
    finite: bool


class LayerRecord(TypedDict):
    """One call of a layer, or of a function inside of one; shares are from 0 to 1, None says nothing."""

    name: str
    type: str
    kind: str
    function: str
    shape: list[int]
    units: int
    places: int
    zeros: float | None
    saturated: float | None
    dead: float | None
    twins: float | None
    stuck: float | None
    similarity: float | None
    variation: float | None
    entropy: float | None
    output: SpreadRecord
    gradient: SpreadRecord | None


class InputRecord(TypedDict):
    """What a model was given; `described` is drawn, and no data."""

    name: str
    shape: list[int]
    mean: float | None
    sd: float | None
    described: bool


class ParametersRecord(TypedDict):
    """How many parameters, how many values in them, and how many of these are trained."""

    count: int
    values: int
    trained: int


class LossRecord(TypedDict):
    """The first loss, and that of a guess."""

    kind: str
    value: float | None
    guess: float | None


class DiagnosisRecord(TypedDict):
    """All that a diagnosis says; text, HTML, SARIF and annotations are made from this alone."""

    schema: str
    model: str
    framework: str
    ok: bool
    counts: CountsRecord
    findings: list[FindingRecord]
    rules: list[str]
    known: int
    layers: list[LayerRecord]
    inputs: list[InputRecord]
    parameters: ParametersRecord
    loss: LossRecord
    examples: int
    dtype: str
    born_dead: float | None
    seeds: int
    notes: list[str]
    seconds: float | None


class RuleRecord(TypedDict):
    """A rule: `severity` is its gravest; `summary` is the first line of its `page`, which is Markdown."""

    code: str
    name: str
    severity: str
    family: str
    summary: str
    page: str
