"""What all rules say about a model."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fanin.errors import FaninError
from fanin.rules.attribution import attributed
from fanin.rules.catalogue import RULES, matching
from fanin.rules.finding import SEVERITIES, Finding, Severity, at_least
from fanin.rules.outputs import baseline
from fanin.rules.vitals import Vitals


@dataclass(frozen=True)
class Choice:
    """Which findings are wanted.

    Args:
        select: Codes, beginnings of codes, or names of the rules that are asked.
        ignore: Those that are not.
        layers: Rules that are not asked about layers, by a pattern of their paths: {"head.*": ("OUT101",)}.
        known: Findings that are known already, as (code, where).

    Raises:
        FaninError: A pattern matches no rule.
    """

    select: tuple[str, ...] = ("ALL",)
    ignore: tuple[str, ...] = ()
    layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: frozenset[tuple[str, str]] = frozenset()

    @property
    def codes(self) -> list[str]:
        """The codes of the rules that are asked, in the order of the catalogue."""
        wanted = matching(self.select) - matching(self.ignore)
        return [code for code in RULES if code in wanted]

    def wants(self, finding: Finding) -> bool:
        """Return whether a finding is wanted."""
        if (finding.code, finding.where) in self.known:
            return False
        ignored = (codes for pattern, codes in self.layers.items() if fnmatch.fnmatch(finding.where, pattern))
        return not any(finding.code in matching(tuple(codes)) for codes in ignored)


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a model at step 0.

    Args:
        vitals: What was measured.
        findings: Causes, the gravest first; what follows from each is its `consequences`.
        rules: The codes of the rules that were asked.
        known: How many findings were left out because they are known.
        seconds: How long it took.
    """

    vitals: Vitals
    findings: tuple[Finding, ...]
    rules: tuple[str, ...] = ()
    known: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing is an error or a warning."""
        return self.worst in (None, "info")

    @property
    def guess(self) -> float | None:
        """The loss of a guess; None where nobody knows."""
        return baseline(self.vitals)

    @property
    def worst(self) -> Severity | None:
        """How grave the gravest finding is; None where there is none."""
        return self.findings[0].severity if self.findings else None

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """Return findings that are as grave as that."""
        return tuple(one for one in self.findings if at_least(one.severity, severity))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON (see docs/json.md); what is not finite is None."""
        from fanin.rules.records import record_of

        return record_of(self)

    def raise_for(self, severity: Severity = "error") -> None:
        """Raise if a finding is as grave as that.

        Args:
            severity: "error", "warning" or "info".

        Raises:
            UnhealthyError: One is.
        """
        if severity not in SEVERITIES:
            raise FaninError(f"{severity!r} is no severity.", expected=", ".join(SEVERITIES))
        if self.at_least(severity):
            raise UnhealthyError(self, severity)


class UnhealthyError(FaninError):
    """A model is not healthy at step 0.

    Args:
        diagnosis: What is wrong.
        severity: From which severity on it counts.
    """

    exit_code = 1

    def __init__(self, diagnosis: Diagnosis, severity: Severity = "error") -> None:
        self.diagnosis, found = diagnosis, diagnosis.at_least(severity)
        lines = [f"{one.code} {one.name} at {one.where}: {one.message}" for one in found]
        fixes = [one.fix.text for one in found if one.fix]
        super().__init__(
            f"{diagnosis.vitals.model} is not healthy at step 0: " + "\n".join(lines),
            fix=fixes[0] if fixes else "",
        )


def diagnose(vitals: Vitals, choice: Choice | None = None, *, seconds: float = 0.0) -> Diagnosis:
    """Return what the rules say about a model's vitals.

    Args:
        vitals: What was measured.
        choice: Which findings are wanted.
        seconds: How long it took to measure.
    """
    choice = choice or Choice()
    found = [one for code in choice.codes for one in RULES[code].look(vitals)]
    wanted = _without(attributed(found), choice)
    ordered = sorted(wanted, key=lambda one: SEVERITIES.index(one.severity))
    return Diagnosis(vitals, tuple(ordered), tuple(choice.codes), len(found) - _count(ordered), seconds)


def _without(findings: Iterable[Finding], choice: Choice) -> list[Finding]:
    """Leave out what is not wanted, with what follows from it: that is explained."""
    return [one for one in findings if choice.wants(one)]


def _count(findings: Iterable[Finding]) -> int:
    return sum(1 + len(one.consequences) for one in findings)
