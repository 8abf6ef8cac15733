"""Findings in SARIF 2.1.0, which code scanning and editors read.

References:
    OASIS (2020), Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fanin.report.diagnosis.located import located, message, relative, where
from fanin.report.diagnosis.pages import as_text
from fanin.report.diagnosis.places import place_of
from fanin.report.diagnosis.record import (
    ConsequenceRecord,
    DiagnosisRecord,
    FindingRecord,
    RuleRecord,
    SourceRecord,
)

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_ROOT = "SRCROOT"


def log(
    record: DiagnosisRecord, rules: Sequence[RuleRecord], root: Path, home: SourceRecord | None = None
) -> dict[str, Any]:
    """Return a diagnosis as a SARIF log: a result for each finding, with what follows from it beside it.

    Args:
        record: What a diagnosis says.
        rules: All rules.
        root: Folder that paths are relative to, such as that of the repository.
        home: Where the model is made, for findings in nobody's file.
    """
    asked = [rule for rule in rules if rule["code"] in record["rules"]]
    numbers = {rule["code"]: number for number, rule in enumerate(asked)}
    driver = {"name": "fanin", "version": version("fanin"), "rules": [_rule(rule) for rule in asked]}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"fanin check/{record['model']}/"},
        "originalUriBaseIds": {_ROOT: {"uri": f"{root.as_uri()}/"}},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True}],
        "results": [_result(one, record, numbers, root, home) for one in record["findings"]],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: RuleRecord) -> dict[str, Any]:
    return {
        "id": rule["code"],
        "name": "".join(word.capitalize() for word in rule["name"].split("-")),
        "shortDescription": {"text": rule["summary"]},
        "fullDescription": {"text": rule["summary"]},
        "help": {"text": as_text(rule["page"]), "markdown": rule["page"]},
        "defaultConfiguration": {"level": _LEVELS[rule["severity"]]},
        "properties": {"tags": [rule["family"], rule["name"]]},
    }


def _result(
    finding: FindingRecord,
    record: DiagnosisRecord,
    numbers: dict[str, int],
    root: Path,
    home: SourceRecord | None,
) -> dict[str, Any]:
    location = _location(finding, record) | _physical(located(finding, home), root)
    follows = [
        {**_location(one, record), "id": number, "message": {"text": f"{one['code']}: {one['message']}"}}
        for number, one in enumerate(finding["consequences"])
    ]
    return {
        "ruleId": finding["code"],
        "ruleIndex": numbers[finding["code"]],
        "level": _LEVELS[finding["severity"]],
        "message": {"text": message(finding)},
        "locations": [location],
        **({"relatedLocations": follows} if follows else {}),
        "partialFingerprints": {"finding/v1": _fingerprint(finding, record)},
        "properties": {key: finding[key] for key in ("observed", "expected", "evidence")},
    }


def _location(finding: ConsequenceRecord, record: DiagnosisRecord) -> dict[str, Any]:
    """Return the path of the layer, the parameter or the input as a logical location."""
    layer = place_of(finding, record["layers"])
    whole = layer is not None and record["layers"][layer]["name"] == finding["where"]
    path = where(finding)
    place = {"name": path, "fullyQualifiedName": f"{record['model']}.{path}"}
    return {"logicalLocations": [place | ({"kind": "module"} if whole else {})]}


def _physical(source: SourceRecord | None, root: Path) -> dict[str, Any]:
    if source is None:
        return {}
    path = relative(source["file"], root)
    uri = {"uri": Path(source["file"]).absolute().as_uri()}
    artifact = uri if path is None else {"uri": quote(path), "uriBaseId": _ROOT}
    region = {"region": {"startLine": source["line"]}} if source["line"] > 0 else {}
    return {"physicalLocation": {"artifactLocation": artifact, **region}}


def _fingerprint(finding: FindingRecord, record: DiagnosisRecord) -> str:
    """Return what stays the same from one check to the next, whatever the numbers are."""
    told = "\0".join((record["model"], finding["code"], finding["where"]))
    return hashlib.sha256(told.encode()).hexdigest()
