"""A scheme: from a parameter to the distribution of its first values."""

from __future__ import annotations

from collections.abc import Mapping
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
        rules: From roles ("head", "residual_out") and kinds ("kernel", "bias", "embedding", "norm") to
            functions from a parameter to its distribution; or one function, which is for kernels.
            Recurrent kernels without a rule of their own are kernels too.
        summary: What it is for, in one line.
        formula: Its formula, as text.
        source: Paper and equation.
        assumptions: What the formula takes for granted.
        arguments: The arguments that differ from the defaults.
        needs: Roles without which it is not what it says; a plan notes that a model has none.

    Example:
        >>> from fanin.schemes.distributions import Normal
        >>> Scheme("tiny", lambda parameter: Normal(0.0, 1e-3)).label
        'tiny'
    """

    name: str
    rules: Mapping[str, Rule] | Rule = field(repr=False)
    summary: str = ""
    formula: str = ""
    source: str = ""
    assumptions: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name with the arguments that differ from the defaults: "normal(stddev=0.02)"."""
        inside = ", ".join(f"{key}={value!r}" for key, value in self.arguments)
        return f"{self.name}({inside})" if inside else self.name

    @property
    def places(self) -> Mapping[str, Rule]:
        """The rules by role and kind."""
        return {"kernel": self.rules} if callable(self.rules) else self.rules

    @property
    def others(self) -> Mapping[str, Rule]:
        """The rules for what is no kernel."""
        return {place: rule for place, rule in self.places.items() if place != "kernel"}

    def decide(self, parameter: Parameter) -> Decision | None:
        """Return what a parameter is drawn from and why; None where the scheme says nothing about it."""
        kinds = ("recurrent", "kernel") if parameter.kind == "recurrent" else (parameter.kind,)
        for place in (*parameter.roles, *kinds):
            if place in self.places:
                return self._at(place, parameter)
        return None

    def __add__(self, other: Scheme) -> Scheme:
        """Return a scheme with the rules of both; where both have one for a place, the other's comes first.

        Example:
            >>> from fanin.schemes.parse import get_scheme
            >>> (get_scheme("he_normal") + get_scheme("zero_gamma")).label
            'he_normal + zero_gamma'
        """
        places = dict.fromkeys((*self.places, *other.places))
        return Scheme(
            f"{self.label} + {other.label}",
            {place: _first_of((other, self), place) for place in places},
            summary=_both(self.summary, other.summary),
            formula=_both(self.formula, other.formula),
            source=_both(self.source, other.source),
            assumptions=_both(self.assumptions, other.assumptions),
            needs=tuple(dict.fromkeys((*self.needs, *other.needs))),
        )

    def _at(self, place: str, parameter: Parameter) -> Decision | None:
        """Return what the rule for a role or kind says of a parameter."""
        # The formula is that of the arguments' defaults.
        detail = place if place != "kernel" else "" if self.arguments else self.formula
        reason = f"{self.label}: {detail}" if detail else self.label
        return as_decision(self.places[place](parameter), reason) if place in self.places else None


def _both(one: str, other: str) -> str:
    return "; ".join(filter(None, (one, other)))


def _first_of(schemes: tuple[Scheme, ...], place: str) -> Rule:
    def rule(parameter: Parameter) -> Decision | None:
        return next((found for one in schemes if (found := one._at(place, parameter))), None)

    return rule


def as_decision(found: Distribution | Decision | None, reason: str) -> Decision | None:
    """Give what a rule returned a reason, where it has none of its own."""
    return found if found is None or isinstance(found, Decision) else Decision(found, reason)
