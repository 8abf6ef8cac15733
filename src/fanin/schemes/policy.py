"""Schemes put together: which one reaches which parameters."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from typing import Any

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Decision, Rule
from fanin.schemes.defaults import default_decision
from fanin.schemes.distributions import is_distribution
from fanin.schemes.parse import get_scheme
from fanin.schemes.registry import called
from fanin.schemes.scheme import Scheme, as_decision

Selector = str | Callable[[Parameter], bool]
"""A role, a kind, a layer type, a pattern of names such as "*.norm*", or a test of a parameter."""

_DRAWN = ("kernel", "recurrent", "embedding")
_INTENDED = Decision(None, "all 0 on purpose, as it seems: a rule for it in a Policy draws it")


class Policy:
    """Rules by role, kind, layer type and name pattern; the first that matches decides.

    Args:
        rules: From selectors to what they get: a scheme or its label, a distribution, `fanin.keep`, or a
            function of the parameter. A selector is a role ("head", "residual_out"), a kind ("kernel",
            "bias", "norm"), a layer type ("Linear"), a pattern of names ("*.norm*"), or a function
            of the parameter that says whether it is meant.
        default: What every other parameter gets.

    Raises:
        FaninError: A scheme is unknown, or a value is none of the above.

    Example:
        >>> policy = Policy({"head": "zeros", "encoder.*": "orthogonal"}, default="he_normal")
        >>> policy.label
        'policy(head: zeros, encoder.*: orthogonal, default: he_normal)'
    """

    def __init__(self, rules: Mapping[Selector, Any], default: Any = "he_normal") -> None:
        self._rules = [(selector, _Choice(value)) for selector, value in rules.items()]
        self._default = _Choice(default)

    @property
    def label(self) -> str:
        """The rules as text."""
        parts = [f"{_shown(selector)}: {choice.label}" for selector, choice in self._rules]
        if not parts:
            return self._default.label
        return f"policy({', '.join([*parts, f'default: {self._default.label}'])})"

    def decide(self, parameter: Parameter) -> Decision:
        """Return what a parameter is drawn from, if anything, and why."""
        for selector, choice in self._rules:
            if matches(selector, parameter):
                found = choice.decide(parameter, meant=True)
                return found or default_decision(parameter)
        if parameter.zero and parameter.kind in _DRAWN:
            return _INTENDED
        return self._default.decide(parameter) or default_decision(parameter)

    def unmet(self, parameters: tuple[Parameter, ...]) -> list[str]:
        """Return the selectors, and the roles that the default looks for, that no parameter matches."""
        wanted = [selector for selector, _ in self._rules] + self._default.roles
        return [_shown(s) for s in wanted if not any(matches(s, p) for p in parameters)]


def as_policy(scheme: Any) -> Policy:
    """Return a policy for whatever a user calls a scheme.

    Raises:
        FaninError: It is not a scheme, a label, a distribution, a policy or a function of a parameter.
    """
    return scheme if isinstance(scheme, Policy) else Policy({}, default=scheme)


def matches(selector: Selector, parameter: Parameter) -> bool:
    """Return whether a selector means a parameter.

    Example:
        >>> matches("*.bias", Parameter("fc.bias", (8,), "bias"))
        True
    """
    if callable(selector):
        return bool(selector(parameter))
    names = (*parameter.roles, parameter.kind, parameter.layer)
    return selector in names or fnmatch.fnmatchcase(parameter.name, selector)


class _Choice:
    """One of the things a selector can be given."""

    def __init__(self, value: Any) -> None:
        self._value = get_scheme(value) if isinstance(value, str) else called(value)
        known = isinstance(self._value, Scheme | Decision) or is_distribution(self._value)
        if not known and not callable(self._value):
            raise FaninError(
                f"{value!r} is not a scheme.",
                expected="a scheme or its label, a distribution, fanin.keep, or a function of a parameter",
                fix="fanin schemes lists the names",
            )

    @property
    def label(self) -> str:
        if isinstance(self._value, Scheme):
            return self._value.label
        if isinstance(self._value, Decision):
            return self._value.reason
        return getattr(self._value, "__name__", None) or str(self._value)

    @property
    def roles(self) -> list[str]:
        """The roles without which the choice would not be what it says."""
        return list(self._value.needs) if isinstance(self._value, Scheme) else []

    def decide(self, parameter: Parameter, *, meant: bool = False) -> Decision | None:
        """Return what the choice says; where a parameter is meant, a scheme's rule for kernels holds too."""
        value = self._value
        if isinstance(value, Scheme):
            found = value.decide(parameter)
            return found or (_for_kernels(value, parameter) if meant else None)
        if isinstance(value, Decision):
            return value
        if is_distribution(value):
            return Decision(value, str(value))
        return as_decision(_checked(value, parameter), self.label)


def _for_kernels(scheme: Scheme, parameter: Parameter) -> Decision | None:
    """Return what the scheme would draw a kernel from; some say nothing about kernels."""
    rule = scheme.places.get("kernel")
    return as_decision(rule(parameter), scheme.label) if rule else None


def _checked(rule: Rule, parameter: Parameter) -> Any:
    found = rule(parameter)
    if found is None or isinstance(found, Decision) or is_distribution(found):
        return found
    raise FaninError(
        f"The rule {getattr(rule, '__name__', rule)} returned {type(found).__name__} for {parameter.name}.",
        expected="a distribution, fanin.keep, or None",
    )


def _shown(selector: Selector) -> str:
    return selector if isinstance(selector, str) else getattr(selector, "__name__", "a function")
