"""Fixes that are tried: a model before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError
from fanin.rules.finding import Finding, Fix, at_least

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fanin.rules.diagnosis import Diagnosis
    from fanin.schemes.plan import InitPlan


@dataclass(frozen=True)
class Workshop:
    """What can be done to a model that was looked at; it is left as it is.

    Args:
        plan: From a fix to the plan that it draws weights by.
        again: From fixes to the diagnosis of the model with them.
    """

    plan: Callable[[Fix], InitPlan]
    again: Callable[[tuple[Fix, ...]], Diagnosis]


@dataclass(frozen=True)
class FixReport:
    """What fixes changed, measured.

    Args:
        fixes: What was done to a copy.
        before: The model as it is.
        after: The copy.
    """

    fixes: tuple[Fix, ...]
    before: Diagnosis
    after: Diagnosis

    @property
    def gone(self) -> tuple[Finding, ...]:
        """Errors and warnings that are no longer there."""
        left = {one.code for one in _counted(self.after)}
        return tuple(one for one in _counted(self.before) if one.code not in left)

    @property
    def left(self) -> tuple[Finding, ...]:
        """Errors and warnings that are still there."""
        known = {one.code for one in _counted(self.before)}
        return tuple(one for one in _counted(self.after) if one.code in known)

    @property
    def new(self) -> tuple[Finding, ...]:
        """Errors and warnings that were not there before."""
        known = {one.code for one in _counted(self.before)}
        return tuple(one for one in _counted(self.after) if one.code not in known)

    @property
    def works(self) -> bool:
        """Whether something is gone and nothing new has come."""
        return bool(self.gone) and not self.new

    def __rich__(self) -> RenderableType:
        from fanin.report.diagnosis import fixes

        return fixes.render(self.to_dict())

    def __str__(self) -> str:
        from fanin.report.diagnosis import fixes
        from fanin.report.profile.text import printed

        return printed(fixes.render(self.to_dict()))

    def to_html(self, path: str | Path) -> Path:
        """Write the page of the model as it is, with what the fixes changed.

        Args:
            path: The file.

        Raises:
            FaninError: The file cannot be written.
        """
        from fanin.report.diagnosis import html
        from fanin.report.profile.html import write
        from fanin.rules.records import rule_records

        return write(path, html.page(self.before.to_dict(), rule_records(), self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return {
            "schema": "fanin.fix_report/1",
            "works": self.works,
            "fixes": [asdict(one) for one in self.fixes],
            **{name: [one.code for one in getattr(self, name)] for name in ("gone", "left", "new")},
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
        }


def fixes_of(findings: Iterable[Finding]) -> tuple[Fix, ...]:
    """Return what can be tried at once: standardized inputs, and the weights of one scheme.

    Args:
        findings: Errors and warnings, the gravest first.
    """
    found = [one.fix for one in findings if one.fix is not None and one.fix.can_be_tried]
    inputs = [fix for fix in found if fix.inputs][:1]
    weights = [fix for fix in found if fix.scheme][:1]
    return (*inputs, *weights)


def planned(findings: Iterable[Finding]) -> Fix:
    """Return the first fix that is a scheme.

    Raises:
        FaninError: No finding has one.
    """
    for finding in findings:
        if finding.fix is not None and finding.fix.scheme:
            return finding.fix
    raise FaninError(
        "No finding is mended by other first weights.", expected="a finding whose fix has a scheme"
    )


def _counted(diagnosis: Diagnosis) -> list[Finding]:
    return [one for one in diagnosis.findings if at_least(one.severity, "warning")]
