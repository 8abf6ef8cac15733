"""What all rules say about a model."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fanin.errors import FaninError
from fanin.report.diagnosis.paths import around
from fanin.rules.attribution import attributed
from fanin.rules.catalogue import RULES, matching
from fanin.rules.finding import SEVERITIES, Finding, Severity, at_least
from fanin.rules.fixes import FixReport, Workshop, fixes_of, planned
from fanin.rules.outputs import baseline
from fanin.rules.vitals import Vitals

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fanin.report.diagnosis.record import DiagnosisRecord
    from fanin.schemes.plan import InitPlan
    from fanin.theory.profile import SignalProfile

_ROUNDS = 2  # of fixes for what other fixes bring to light


@dataclass(frozen=True)
class Choice:
    """Which findings are wanted.

    Args:
        select: Codes, beginnings of codes, or names of the rules that are asked.
        ignore: Those that are not.
        layers: Rules that are not asked about layers and what is in them, by a pattern of their paths:
            {"head": ("OUT101",), "blocks.*.gate": ("SAT", "FWD")}; dots stand for slashes too.
        known: Findings that are known already, as (code, where).

    Raises:
        FaninError: A pattern matches no rule.
    """

    select: tuple[str, ...] = ("ALL",)
    ignore: tuple[str, ...] = ()
    layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        for patterns in (self.select, self.ignore, *self.layers.values()):
            matching(tuple(patterns))

    @property
    def codes(self) -> list[str]:
        """The codes of the rules that are asked, in the order of the catalogue."""
        wanted = matching(self.select) - matching(self.ignore)
        return [code for code in RULES if code in wanted]

    def knows(self, finding: Finding) -> bool:
        """Return whether a finding is known already."""
        return (finding.code, finding.where) in self.known

    def ignores(self, finding: Finding) -> bool:
        """Return whether a finding's rule is not asked about its layer, or about what that is in."""
        codes = (
            one
            for pattern, codes in self.layers.items()
            if any(fnmatch.fnmatchcase(_dotted(path), _dotted(pattern)) for path in around(finding.where))
            for one in codes
        )
        return finding.code in matching(tuple(codes))


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a model at step 0.

    Args:
        vitals: What was measured.
        findings: Causes, the gravest first; what follows from each is its `consequences`.
        rules: The codes of the rules that were asked.
        known: How many findings were left out because they are known.
        past: Known findings, as (code, where), of rules that were asked and found them no longer.
        seconds: How long it took.
        workshop: What can be done to the model; None where it is not at hand.
    """

    vitals: Vitals
    findings: tuple[Finding, ...]
    rules: tuple[str, ...] = ()
    known: int = 0
    past: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    workshop: Workshop | None = field(default=None, compare=False, repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing is an error or a warning."""
        return self.worst in (None, "info")

    @property
    def profile(self) -> SignalProfile:
        """What was measured of signals and gradients, as `measure` gives it, to compare with a prediction."""
        from fanin.rules.profiles import profile_of

        return profile_of(self.vitals)

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

    def fixed_plan(self) -> InitPlan:
        """Return the plan of the weights that mend the gravest finding that weights mend.

        Raises:
            FaninError: There is none, or the model is not at hand.
        """
        fix = planned(self.findings)
        return self._workshop().plan(fix)

    def fix_report(self) -> FixReport:
        """Return what changes when fixes are applied to a copy, and measured again.

        A fix may bring to light what it mends not: what can be tried against that is added, twice at most.

        Raises:
            FaninError: No finding has a fix that can be tried, or the model is not at hand.
        """
        fixes = fixes_of(self.at_least("warning"))
        if not fixes:
            raise FaninError("No finding has a fix that can be tried.", fix="what each finding says, by hand")
        after = self._workshop().again(fixes)
        for _ in range(_ROUNDS):
            more = tuple(one for one in fixes_of(after.at_least("warning")) if one not in fixes)
            if not more:
                break
            fixes = (*fixes, *more)
            after = self._workshop().again(fixes)
        return FixReport(fixes, self, after)

    def _workshop(self) -> Workshop:
        if self.workshop is None:
            raise FaninError("The model is not at hand.", expected="a diagnosis that fanin.diagnose has made")
        return self.workshop

    def to_dict(self) -> DiagnosisRecord:
        """Return it as plain data for JSON (see docs/json.md); what is not finite is None."""
        from fanin.rules.records import record_of

        return record_of(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return it as JSON, and write it to a file if a path is given.

        Raises:
            FaninError: The file cannot be written.
        """
        text = json.dumps(self.to_dict(), allow_nan=False)
        if path is not None:
            from fanin.report.profile.html import write

            write(path, text)
        return text

    def to_html(self, path: str | Path) -> Path:
        """Write a page that needs no network: the findings with their rules, a chart, and every layer.

        Args:
            path: The file.

        Raises:
            FaninError: The file cannot be written.
        """
        from fanin.report.diagnosis import html
        from fanin.report.profile.html import write
        from fanin.rules.records import rule_records

        return write(path, html.page(self.to_dict(), rule_records()))

    def __rich__(self) -> RenderableType:
        from fanin.report.diagnosis import text

        return text.render(self.to_dict())

    def __str__(self) -> str:
        from fanin.report.diagnosis import text

        return text.plain_text(self.to_dict())

    def _repr_html_(self) -> str:
        from fanin.report.diagnosis import html

        return html.fragment(self.to_dict())

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
        fixes = dict.fromkeys(one.fix.text for one in found if one.fix)
        super().__init__(
            f"{diagnosis.vitals.model} is not healthy at step 0: " + "\n".join(lines),
            fix="; ".join(fixes),
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
    # What is left out goes with what follows from it: that is explained.
    causes = [one for one in attributed(found) if not choice.ignores(one)]
    wanted = _gravest_first(one for one in causes if not choice.knows(one))
    known, past = len(causes) - len(wanted), _past(choice, found)
    return Diagnosis(vitals, wanted, tuple(choice.codes), known, past, seconds)


def _dotted(path: str) -> str:
    """Return a path with dots in the place of Keras' slashes."""
    return path.replace("/", ".")


def _past(choice: Choice, found: Iterable[Finding]) -> tuple[tuple[str, str], ...]:
    """Return known findings that are there no longer."""
    there = {(one.code, one.where) for one in found}
    return tuple(sorted(one for one in choice.known - there if one[0] in choice.codes))


def _gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: SEVERITIES.index(one.severity)))
