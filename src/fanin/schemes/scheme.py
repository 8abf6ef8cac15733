"""A scheme: from a parameter to the distribution of its first values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Decision, Rule
from fanin.schemes.distributions import Distribution


@dataclass(frozen=True)
class Scheme:
    """A way to initialize weights, with its formula and where it comes from.

    Args:
        name: Its name in the catalogue.
        rule: From a kernel to its distribution, for the kernels that `others` says nothing about.
        summary: What it is for, in one line.
        formula: Its formula, as text.
        source: Paper and equation.
        assumptions: What the formula takes for granted.
        arguments: The arguments that differ from the defaults.
        others: Rules by role ("head", "residual_out") or kind ("bias", "embedding", "norm").
        needs: Roles without which it is not what it says; a plan notes that a model has none.

    Example:
        >>> from fanin.schemes.distributions import Normal
        >>> Scheme("tiny", lambda parameter: Normal(0.0, 1e-3)).label
        'tiny'
    """

    name: str
    rule: Callable[[Parameter], Distribution] = field(repr=False)
    summary: str = ""
    formula: str = ""
    source: str = ""
    assumptions: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()
    others: Mapping[str, Rule] = field(default_factory=dict, repr=False)
    needs: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name with the arguments that differ from the defaults: "normal(stddev=0.02)"."""
        inside = ", ".join(f"{key}={value!r}" for key, value in self.arguments)
        return f"{self.name}({inside})" if inside else self.name

    def distribution(self, parameter: Parameter) -> Distribution:
        """Return what a kernel is drawn from."""
        return self.rule(parameter)

    def bias_distribution(self, parameter: Parameter) -> Distribution | None:
        """Return what a bias is drawn from; None leaves it as its layer has it."""
        found = self.decide(parameter)
        return found.distribution if found else None

    def decide(self, parameter: Parameter) -> Decision | None:
        """Return what a parameter is drawn from and why; None where the scheme says nothing about it."""
        for place in (*parameter.roles, parameter.kind):
            if place in self.others:
                return as_decision(self.others[place](parameter), f"{self.label}: {place}")
        if parameter.kind in ("kernel", "recurrent"):
            return Decision(
                self.rule(parameter), f"{self.label}: {self.formula}" if self.formula else self.label
            )
        return None


def as_decision(found: Distribution | Decision | None, reason: str) -> Decision | None:
    """Give what a rule returned a reason, where it has none of its own."""
    return found if found is None or isinstance(found, Decision) else Decision(found, reason)
