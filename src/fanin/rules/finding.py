"""What a rule found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from fanin.rules.vitals import Source

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""The gravest first."""


@dataclass(frozen=True)
class Fix:
    """What mends a fault.

    Args:
        text: What to do, in words or code.
        scheme: The scheme that initializes the layers anew, where that is the fix.
        layers: Paths of these layers; () for the whole model.
        inputs: Whether the inputs are to be standardized.
    """

    text: str
    scheme: str = ""
    layers: tuple[str, ...] = ()
    inputs: bool = False

    @property
    def can_be_tried(self) -> bool:
        """Whether fanin can apply it to a copy."""
        return bool(self.scheme or self.inputs)


@dataclass(frozen=True)
class Finding:
    """A fault, or what is worth knowing.

    Args:
        code: The rule's code.
        name: The rule's name.
        severity: How grave it is.
        where: Path of the layer, the parameter or the input where it begins.
        message: What is wrong, in one sentence with its numbers.
        observed: The number that was seen.
        expected: The interval in which it should be, in words.
        evidence: More numbers, by name.
        fix: What to do.
        source: Where the layer's class is written.
        consequences: What follows from it, which is no fault of its own.
    """

    code: str
    name: str
    severity: Severity
    where: str
    message: str
    observed: float | None = None
    expected: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    fix: Fix | None = None
    source: Source = field(default_factory=Source)
    consequences: tuple[Finding, ...] = ()

    @property
    def family(self) -> str:
        """The letters of its code: FWD, BWD, SYM, ..."""
        return self.code.rstrip("0123456789")


def at_least(severity: Severity, other: Severity) -> bool:
    """Return whether a severity is as grave as another.

    Example:
        >>> at_least("error", "warning"), at_least("info", "warning")
        (True, False)
    """
    return SEVERITIES.index(severity) <= SEVERITIES.index(other)
