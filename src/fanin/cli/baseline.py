"""Known findings, kept in a file: what was there when checks began, and fails no check."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError

if TYPE_CHECKING:
    from fanin.rules.finding import Finding

SCHEMA = "fanin.baseline/1"


def read(path: Path) -> frozenset[tuple[str, str]]:
    """Return the known findings, as (code, where).

    Raises:
        FaninError: There is no such file, or it is no baseline.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise FaninError(
            f"{path} cannot be read: {reason}.",
            expected="a file that --write-baseline has written",
            fix=f"--write-baseline {path}",
        ) from error
    try:
        return frozenset((one["code"], one["where"]) for one in _findings(json.loads(text)))
    except (ValueError, KeyError, TypeError) as error:
        raise FaninError(
            f"{path} is no baseline.", expected=f'{{"schema": "{SCHEMA}", "findings": [...]}}'
        ) from error


def _findings(document: Any) -> list[Any]:
    if document["schema"] != SCHEMA:
        raise ValueError(document["schema"])
    return document["findings"]


def write(path: Path, findings: Iterable[Finding]) -> int:
    """Write findings as known ones, a line each, and return how many.

    Raises:
        FaninError: The file cannot be written.
    """
    known = sorted({(one.code, one.where, one.name) for one in findings})
    lines = [json.dumps({"code": code, "where": where, "name": name}) for code, where, name in known]
    inside = "".join(f"\n  {line}{',' if line is not lines[-1] else ''}" for line in lines)
    text = f'{{"schema": "{SCHEMA}", "findings": [{inside}\n]}}\n'
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FaninError(
            f"{path} cannot be written: {error.strerror}.", expected="a file in a folder that exists"
        ) from error
    return len(known)
