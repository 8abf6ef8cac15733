"""Findings as annotations of GitHub's workflows: a line each, which the runner shows beside the code.

References:
    GitHub Docs, Workflow commands for GitHub Actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fanin.report.diagnosis.located import located, message, relative
from fanin.report.diagnosis.record import DiagnosisRecord, FindingRecord, SourceRecord

_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def lines(record: DiagnosisRecord, root: Path, home: SourceRecord | None = None) -> list[str]:
    """Return an annotation for each finding.

    Args:
        record: What a diagnosis says.
        root: Folder of the repository.
        home: Where the model is made, for findings in nobody's file.
    """
    return [_annotation(finding, root, home) for finding in record["findings"]]


def _annotation(finding: FindingRecord, root: Path, home: SourceRecord | None) -> str:
    source = located(finding, home)
    place = {} if source is None else {"file": _file(source, root), "line": str(max(source["line"], 1))}
    title = f"{finding['code']} {finding['name']}"
    return command(_LEVELS[finding["severity"]], place | {"title": title}, message(finding))


def _file(source: SourceRecord, root: Path) -> str:
    return relative(source["file"], root) or source["file"]


def command(name: str, properties: Mapping[str, str], text: str) -> str:
    r"""Return a workflow command; nothing in it can end it or begin another one.

    Args:
        name: Such as "error".
        properties: By their names.
        text: The message, of any number of lines.

    Example:
        >>> command("error", {"file": "a,b.py"}, "100%\n::set-env")
        '::error file=a%2Cb.py::100%25%0A::set-env'
    """
    told = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items())
    return f"::{name} {told}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    """Return a text in which "%", the ends of lines and some more letters are written as numbers."""
    return "".join(
        f"%{ord(letter):02X}" if letter in f"%\r\n{more}" else letter if letter.isprintable() else "\ufffd"
        for letter in text
    )
