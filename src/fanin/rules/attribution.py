"""One cause, not forty symptoms: what follows from a finding is folded under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fanin.rules.finding import SEVERITIES, Finding

_HALF = 0.5
EXPLAINS: dict[str, tuple[str, ...]] = {
    "NUM102": ("NUM", "SET", "SAT", "SYM", "FWD", "RES", "OUT", "BWD"),
    "INP107": ("NUM101", "SET105", "SAT", "SYM", "FWD", "RES", "OUT", "BWD"),
    "NUM101": ("NUM103", "SET105", "SAT", "SYM", "FWD", "RES", "OUT", "BWD"),
    "SET101": ("SET102", "SET105", "SAT", "SYM", "FWD", "RES", "OUT", "BWD"),
    "SET110": ("SAT", "SYM", "FWD", "RES", "OUT101", "BWD", "INP102"),
    "INP101": ("INP102", "SAT", "FWD", "OUT101", "BWD", "NUM103", "SET105"),
    "INP103": ("FWD103", "BWD103"),
    "INP104": ("INP103", "SET103", "SET105", "SAT", "SYM", "FWD103", "BWD103"),
    "INP105": ("OUT101", "BWD102", "BWD104"),
    "INP108": ("FWD103", "BWD103"),
    "INP109": ("OUT103", "SET103", "SET105", "FWD103", "BWD103"),
    "SYM101": ("SYM103", "SYM104", "SET103", "SET105", "SAT102", "FWD", "BWD", "OUT101", "SET104"),
    "SYM104": ("SYM103", "SET103", "SET105", "SET112", "FWD103", "BWD"),
    "SET103": ("SAT102", "SAT103", "SET105", "FWD103", "BWD103"),
    "SAT105": ("SAT103", "SET105", "SAT102", "FWD103", "OUT101", "BWD103"),
    "SAT103": ("SAT102", "SET105", "FWD103", "OUT101", "BWD"),
    "SYM103": ("FWD102", "OUT101", "BWD101", "BWD103", "FWD103"),
    "FWD102": ("SAT", "RES101", "OUT101", "OUT104", "BWD", "NUM103", "SET105", "SET104", "FWD103"),
    "RES101": ("SAT", "OUT101", "BWD", "NUM103", "SET104"),
    "SAT101": ("FWD103", "BWD", "SET105", "SET104"),
    "SAT102": ("FWD", "BWD", "SET105"),
    "SAT104": ("FWD103", "BWD103"),
    "FWD101": ("FWD103", "BWD", "SET105", "SET104", "SYM101 of few"),
    "OUT104": ("OUT101", "SET104"),
    "OUT102": ("OUT101", "SET105", "BWD103", "FWD103"),
    "OUT101": ("SET105", "BWD103"),
    "BWD101": ("BWD103", "SYM101 of few"),
    "BWD102": ("BWD104",),
    "SYM101 of few": ("SYM103", "SET103", "SET105"),
    "SET105": ("FWD103", "BWD103"),
    "SET106": ("BWD105",),
}
"""By the code of a cause, what may follow from it: codes or whole families; causes come first."""


def attributed(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the causes, with what follows from each folded under it.

    An info explains nothing: it is no fault. A cause is as grave as what follows from it.

    Args:
        findings: Of all rules.

    Example:
        >>> raw = Finding("INP101", "unscaled-input", "error", "input 0", "")
        >>> loss = Finding("OUT101", "high-initial-loss", "error", "fc", "")
        >>> [(one.code, len(one.consequences)) for one in attributed([loss, raw])]
        [('INP101', 1)]
    """
    rank = {code: number for number, code in enumerate(EXPLAINS)}
    ordered = sorted(findings, key=lambda one: rank.get(_kind(one), len(rank)))
    causes: list[Finding] = []
    for finding in ordered:
        place = _cause(finding, causes)
        if place is None:
            causes.append(finding)
        else:
            causes[place] = _with(causes[place], finding)
    return tuple(causes)


def _with(cause: Finding, consequence: Finding) -> Finding:
    """Return a cause with one more consequence, as grave as which it is."""
    severity = min(cause.severity, consequence.severity, key=SEVERITIES.index)
    return replace(cause, severity=severity, consequences=(*cause.consequences, consequence))


def _cause(finding: Finding, causes: Sequence[Finding]) -> int | None:
    for place, cause in enumerate(causes):
        if cause.severity != "info" and _follows(finding, cause):
            return place
    return None


def _follows(finding: Finding, cause: Finding) -> bool:
    """Return whether a finding may come from a cause.

    Gradients that vanish along many layers come from units that are saturated where half of these layers have
    such units; if only those next to the inputs have, there are two faults.
    """
    if (cause.code, finding.code) == ("INP107", "NUM101"):
        return finding.where == "loss"
    if (cause.code, finding.code) == ("SAT101", "BWD101"):
        return 2 * len(cause.evidence.get("layers", ())) >= len(finding.evidence.get("layers", ()))
    return _kind(finding).startswith(EXPLAINS.get(_kind(cause), ("-",)))


def _kind(finding: Finding) -> str:
    """Return a finding's code; where less than half of the units of a layer are equal, that it is of few.

    They do not keep a layer from learning, and they become equal where signals have vanished.
    """
    few = finding.code == "SYM101" and (finding.observed or 0.0) < _HALF
    return "SYM101 of few" if few else finding.code
