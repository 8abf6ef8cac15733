"""Where in the table and the chart a finding belongs."""

from __future__ import annotations

from collections.abc import Sequence

from fanin.report.diagnosis.paths import around
from fanin.report.diagnosis.record import ConsequenceRecord, DiagnosisRecord, FindingRecord, LayerRecord

_KINDS = {"SAT": ("activation", "recurrent", "attention"), "RES": ("other",)}
"""By family, what its rules look at; others look at layers with weights."""


def places(record: DiagnosisRecord) -> dict[int, list[FindingRecord]]:
    """Return the findings at each layer, by its place in the order of execution.

    Findings of inputs, targets and the loss are at none.
    """
    found: dict[int, list[FindingRecord]] = {}
    for finding in record["findings"]:
        place = place_of(finding, record["layers"])
        if place is not None:
            found.setdefault(place, []).append(finding)
    return found


def place_of(finding: ConsequenceRecord, layers: Sequence[LayerRecord]) -> int | None:
    """Return the place of the layer that a finding is at, or that has the parameter that it is at."""
    found = (_at(path, finding, layers) for path in around(finding["where"]))
    return next((place for place in found if place is not None), None)


def _at(path: str, finding: ConsequenceRecord, layers: Sequence[LayerRecord]) -> int | None:
    """Return the place of a path; of several with that path, that of the kind which a rule looks at."""
    kinds = _KINDS.get(finding["code"].rstrip("0123456789"), ("weights",))
    here = [place for place, layer in enumerate(layers) if layer["name"] == path]
    return next((place for place in here if layers[place]["kind"] in kinds), here[0] if here else None)


def touched(record: DiagnosisRecord, *, but: str = "-") -> dict[int, str]:
    """Return the severity of the gravest finding at or about each layer, by its place.

    Args:
        record: What a diagnosis says.
        but: A family whose findings do not count.
    """
    found: dict[int, str] = {}
    for finding in record["findings"]:
        if finding["code"].startswith(but):
            continue
        about = [_at(name, finding, record["layers"]) for name in finding["evidence"].get("layers", ())]
        for place in (place_of(finding, record["layers"]), *about):
            if place is not None:
                found.setdefault(place, finding["severity"])
    return found
