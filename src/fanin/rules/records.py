"""A diagnosis as plain data: what reports and `--format json` are made of."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fanin.rules.finding import SEVERITIES, Finding
from fanin.rules.vitals import Layer, Spread

if TYPE_CHECKING:
    from fanin.rules.diagnosis import Diagnosis

SCHEMA = "fanin.diagnosis/1"


def record_of(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return a diagnosis as plain data; what is not finite is None."""
    vitals = diagnosis.vitals
    return plain(
        {
            "schema": SCHEMA,
            "model": vitals.model,
            "framework": vitals.framework,
            "ok": diagnosis.ok,
            "counts": {one: sum(f.severity == one for f in diagnosis.findings) for one in SEVERITIES},
            "findings": [finding_record(one) for one in diagnosis.findings],
            "rules": list(diagnosis.rules),
            "known": diagnosis.known,
            "layers": [layer_record(one) for one in vitals.layers],
            "parameters": {
                "count": len(vitals.parameters),
                "values": sum(one.size for one in vitals.parameters),
                "trained": sum(one.size for one in vitals.trained),
            },
            "loss": {
                "kind": vitals.output.kind,
                "value": vitals.output.loss,
                "guess": diagnosis.guess,
            },
            "examples": vitals.examples,
            "dtype": vitals.dtype,
            "born_dead": vitals.born_dead,
            "seeds": vitals.seeds,
            "notes": list(vitals.notes),
            "seconds": diagnosis.seconds,
        }
    )


def finding_record(finding: Finding) -> dict[str, Any]:
    """Return a finding, with its consequences."""
    fields = ("code", "name", "severity", "where", "message", "observed", "expected", "evidence")
    return {
        **{name: getattr(finding, name) for name in fields},
        "fix": None if finding.fix is None else asdict(finding.fix),
        "source": asdict(finding.source),
        "consequences": [finding_record(one) for one in finding.consequences],
    }


def layer_record(layer: Layer) -> dict[str, Any]:
    """Return a layer with what tables and charts show of it."""
    fields = ("name", "type", "kind", "function", "shape", "units", "places", "zeros", "saturated", "dead")
    more = ("twins", "similarity", "variation", "entropy")
    return {
        **{name: getattr(layer, name) for name in (*fields, *more)},
        "output": _spread(layer.output),
        "gradient": None if layer.gradient is None else _spread(layer.gradient),
    }


def _spread(spread: Spread) -> dict[str, Any]:
    return {"scale": spread.scale, **asdict(spread)}


def plain(value: Any) -> Any:
    """Return plain data with None for what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value
