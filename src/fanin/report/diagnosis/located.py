"""Where a finding is in the user's files: for SARIF and annotations."""

from __future__ import annotations

from pathlib import Path

from fanin.report.diagnosis.record import ConsequenceRecord, SourceRecord
from fanin.sources import installed


def located(finding: ConsequenceRecord, home: SourceRecord | None) -> SourceRecord | None:
    """Return the file and line of the user's class; where there is none, that of the model.

    Args:
        finding: What was found.
        home: Where the model is made.
    """
    source = finding["source"]
    return source if source["file"] and not installed(source["file"]) else home


def relative(file: str, root: Path) -> str | None:
    """Return a file's path below a folder, with slashes; None where it is elsewhere.

    Example:
        >>> relative("/work/src/model.py", Path("/work")), relative("/other.py", Path("/work"))
        ('src/model.py', None)
    """
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


def where(finding: ConsequenceRecord) -> str:
    """Return the path that a finding is at; of a model without layers, its output."""
    return finding["where"] or "the output"


def message(finding: ConsequenceRecord) -> str:
    """Return where what is wrong, what is expected and what to do, a line each."""
    parts = [f"{where(finding)}: {finding['message']}"]
    if finding["expected"]:
        parts.append(f"Expected: {finding['expected']}.")
    if finding["fix"]:
        parts.append(f"Fix: {finding['fix']['text']}.")
    return "\n".join(parts)
