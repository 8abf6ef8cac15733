"""A diagnosis in a few lines: for the message of a failed test, and for the log of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fanin.rules.diagnosis import Diagnosis
    from fanin.rules.finding import Finding, Severity


def summary(diagnosis: Diagnosis, severity: Severity) -> str:
    """Return what is wrong with a model, each finding with its code, its layer and what mends it.

    Args:
        diagnosis: What `fanin.diagnose` returned.
        severity: From which severity on findings are told.

    Example:
        >>> import fanin, torch
        >>> found = fanin.diagnose(torch.nn.Linear(4, 3).eval(), torch.randn(8, 4), loss="cross_entropy")
        >>> print(summary(found, "error"))
        Linear is healthy at step 0.
    """
    findings = diagnosis.at_least(severity)
    if not findings:
        return f"{diagnosis.vitals.model} is healthy at step 0."
    lines = [line for one in findings for line in _finding(one)]
    return "\n".join([f"{diagnosis.vitals.model} is not healthy at step 0.", *lines])


def _finding(finding: Finding) -> Iterator[str]:
    yield f"  {finding.severity} {finding.code} {finding.name} at {finding.where}: {finding.message}"
    if finding.fix:
        yield f"    fix: {finding.fix.text}"
    if finding.consequences:
        yield f"    hence: {', '.join(f'{one.code} at {one.where}' for one in finding.consequences)}"
