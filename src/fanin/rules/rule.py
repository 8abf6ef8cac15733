"""A rule: looks at a model's vitals and says what is wrong."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from fanin.rules.finding import Finding, Fix, Severity
from fanin.rules.vitals import Layer, Source, Vitals


class Rule(ABC):
    """A rule; its docstring is its page.

    Args:
        code: Letters of its family and a number.
        name: What the fault is called.
        severity: How grave it is at most.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity]

    @abstractmethod
    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield what is wrong.

        Args:
            vitals: Of a model.
        """

    @classmethod
    def page(cls) -> str:
        """Return the rule's page."""
        return inspect.cleandoc(cls.__doc__ or "")

    def finding(
        self,
        where: Layer | str,
        message: str,
        *,
        severity: Severity | None = None,
        observed: float | None = None,
        expected: str = "",
        fix: Fix | None = None,
        **evidence: Any,
    ) -> Finding:
        """Return what was found.

        Args:
            where: The layer, or the path of what is no layer; "" for the output of a model without weights.
            message: What is wrong.
            severity: How grave it is here; by default as the rule is.
            observed: The number that was seen.
            expected: The interval in which it should be.
            fix: What to do.
            **evidence: More numbers.
        """
        at = (where if isinstance(where, str) else where.name) or "output"
        source = Source() if isinstance(where, str) else where.where
        grade = severity or self.severity
        return Finding(self.code, self.name, grade, at, message, observed, expected, evidence, fix, source)
