"""A diagnosis and its rules as plain data: what reports and `--format json` are made of."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fanin.report.diagnosis.paths import around
from fanin.report.diagnosis.record import SCHEMA, DiagnosisRecord, RuleRecord
from fanin.rules.catalogue import FAMILIES, RULES
from fanin.rules.finding import SEVERITIES, Finding
from fanin.rules.rule import Rule
from fanin.rules.vitals import Input, Layer, Source, Spread, Vitals
from fanin.sources import installed

if TYPE_CHECKING:
    from fanin.rules.diagnosis import Diagnosis


def record_of(diagnosis: Diagnosis) -> DiagnosisRecord:
    """Return a diagnosis as plain data; what is not finite is None."""
    vitals = diagnosis.vitals
    return plain(
        {
            "schema": SCHEMA,
            "model": vitals.model,
            "framework": vitals.framework,
            "ok": diagnosis.ok,
            "counts": {one: sum(f.severity == one for f in diagnosis.findings) for one in SEVERITIES},
            "findings": [finding_record(one, vitals) for one in diagnosis.findings],
            "rules": list(diagnosis.rules),
            "known": diagnosis.known,
            "layers": [layer_record(one, vitals) for one in vitals.layers],
            "inputs": [_input(one) for one in vitals.inputs],
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


def finding_record(finding: Finding, vitals: Vitals) -> dict[str, Any]:
    """Return a finding, with its consequences."""
    return {
        **_alone(finding, vitals),
        "consequences": [_alone(one, vitals) for one in finding.consequences],
    }


def _alone(finding: Finding, vitals: Vitals) -> dict[str, Any]:
    fields = ("code", "name", "severity", "where", "message", "observed", "expected", "evidence")
    return {
        **{name: getattr(finding, name) for name in fields},
        "fix": None if finding.fix is None else asdict(finding.fix),
        "source": asdict(_source(finding, vitals)),
    }


def _source(finding: Finding, vitals: Vitals) -> Source:
    """Return where the user wrote the layer's class, or else the one around it: nobody edits `nn.Linear`."""
    if finding.source.file and not installed(finding.source.file):
        return finding.source
    written = {layer.name: layer.where for layer in vitals.layers if layer.where.file}
    outside = (written[path] for path in (*around(finding.where), vitals.model) if path in written)
    return next((one for one in outside if not installed(one.file)), finding.source)


def layer_record(layer: Layer, vitals: Vitals) -> dict[str, Any]:
    """Return a layer with what tables and charts show of it."""
    fields = ("name", "type", "kind", "function", "shape", "units", "places", "zeros", "saturated", "dead")
    more = ("twins", "similarity", "variation", "entropy")
    return {
        **{name: getattr(layer, name) for name in (*fields, *more)},
        "stuck": _stuck(layer, vitals),
        "output": _spread(layer.output),
        "gradient": None if layer.gradient is None else _spread(layer.gradient),
    }


def _stuck(layer: Layer, vitals: Vitals) -> float | None:
    """Return the share of a layer's trained values whose parameter never gets a gradient."""
    trained = [one for one in vitals.of_layer(layer.name.partition("#")[0]) if one.trained]
    if layer.kind in ("activation", "recurrent") or not any(one.zero for one in trained):
        return None
    return sum(one.size for one in trained if one.stuck) / sum(one.size for one in trained)


def _spread(spread: Spread) -> dict[str, Any]:
    return {"scale": spread.scale, **asdict(spread)}


def _input(given: Input) -> dict[str, Any]:
    fields = {"name": given.name, "shape": given.shape, "described": given.described}
    return fields | {"mean": given.values.mean, "sd": given.values.sd}


def rule_records() -> list[RuleRecord]:
    """Return all rules, family by family."""
    return [rule_record(rule) for family in FAMILIES for rule in RULES.values() if _family(rule) == family]


def rule_record(rule: Rule) -> RuleRecord:
    """Return a rule with its page.

    Example:
        >>> record = rule_record(RULES["FWD101"])
        >>> record["name"], record["family"], record["summary"]
        ('vanishing-forward-signal', 'FWD', 'Signals shrink from layer to layer.')
    """
    page = rule.page()
    summary = page.partition("\n")[0]
    return RuleRecord(
        code=rule.code,
        name=rule.name,
        severity=rule.severity,
        family=_family(rule),
        summary=summary,
        page=page,
    )


def _family(rule: Rule) -> str:
    return rule.code.rstrip("0123456789")


def plain(value: Any) -> Any:
    """Return plain data with None for what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value
