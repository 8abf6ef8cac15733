"""From what a user calls a scheme to a choice of a study."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from fanin.errors import FaninError
from fanin.experiments.fingerprint import fingerprint
from fanin.frameworks.training import Choice, Factory
from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import is_distribution
from fanin.schemes.parse import get_scheme
from fanin.schemes.plan import InitPlan
from fanin.schemes.policy import Policy, as_policy
from fanin.schemes.registry import called
from fanin.schemes.scheme import Scheme


def as_choices(schemes: Iterable[Any] | Mapping[str, Any]) -> tuple[Choice, ...]:
    """Return the schemes of a study.

    Args:
        schemes: Names ("he_normal", "normal(stddev=0.02)"), fanin schemes, policies, plans,
            distributions, functions from a parameter to a distribution, or the framework's initializers;
            or a mapping from labels to these.

    Raises:
        FaninError: A name is unknown, there is none, or two have one label.

    Example:
        >>> [choice.label for choice in as_choices(["zeros", "he_normal"])]
        ['zeros', 'he_normal']
    """
    if isinstance(schemes, str | InitPlan) or not isinstance(schemes, Iterable):
        schemes = [schemes]
    pairs = schemes.items() if isinstance(schemes, Mapping) else [(None, scheme) for scheme in schemes]
    choices = tuple(_choice(None if label is None else str(label), called(scheme)) for label, scheme in pairs)
    if not choices:
        raise FaninError("There are no schemes to compare.", fix="--schemes zeros,he_normal")
    _check_different(choices)
    return choices


def _check_different(choices: Iterable[Choice]) -> None:
    labels: dict[str, Choice] = {}
    keys: dict[str, Choice] = {}
    for choice in choices:
        if choice.label in labels:
            raise FaninError(
                f"Two schemes are called {choice.label!r}.",
                expected="each scheme once",
                fix="leave one out, or in Python give them labels: {'a': ..., 'b': ...}",
            )
        if choice.key in keys:  # in a store they would be the same runs
            raise FaninError(
                f"{keys[choice.key].label} and {choice.label} are the same scheme.", fix="leave one out"
            )
        labels[choice.label] = keys[choice.key] = choice


def check_passable(choices: Iterable[Choice], factory: Factory) -> None:
    """Refuse, for a builder that takes the initializer, schemes that are no single initializer.

    Raises:
        FaninError: A scheme looks at a parameter's place in the model.
    """
    if not factory.takes_initializer:
        return
    for choice in choices:
        if rules := _rules_by_place(choice.scheme):
            raise FaninError(
                f"{choice.label} has {rules}: no single initializer is what {factory.name} could be given.",
                expected="a scheme that is the same for every kernel, or a builder without the argument",
                fix="leave the initializer out of the builder: each scheme then initializes its model anew",
            )


def _rules_by_place(scheme: Any) -> str:
    """Return in words what of a scheme depends on a parameter's place in the model."""
    if isinstance(scheme, Policy | InitPlan):
        return "rules by parameter"
    if not isinstance(scheme, Scheme):
        return ""
    roles = dict.fromkeys((*scheme.needs, *(role for role in scheme.others if role not in _OF_A_LAYER)))
    if roles:
        return f"rules for {', '.join(roles)}"
    try:
        found = scheme.decide(Parameter("kernel", (3, 3, 144, 144), "kernel", ("tap", "tap", "in", "out")))
    except FaninError:
        return "a rule that asks what is around a layer"
    return "" if found and found.distribution else "no rule for kernels"


_OF_A_LAYER = ("bias", "recurrent", "embedding", "query", "key", "value", "attention_out")
"""Kinds and roles that a layer gives its own parameters; whether they get the initializer is seen then."""


def _choice(label: str | None, scheme: Any) -> Choice:
    if isinstance(scheme, str):
        # The user's own spelling is the label: an alias stays recognizable.
        found = get_scheme(scheme)
        return Choice(label or scheme.strip(), found, found.label)
    if isinstance(scheme, Scheme):
        return Choice(label or scheme.label, scheme, f"{scheme.label}@{fingerprint(scheme)[:8]}")
    if isinstance(scheme, InitPlan):
        return Choice(label or scheme.scheme, scheme, f"{scheme.scheme}@{fingerprint(scheme)[:8]}")
    if isinstance(scheme, Policy) or is_distribution(scheme) or _is_rule(scheme):
        policy = as_policy(scheme)
        return Choice(label or policy.label, policy, f"{policy.label}@{fingerprint(scheme)[:8]}")
    if not callable(scheme):
        raise FaninError(
            f"{scheme!r} is not a scheme.",
            expected="a name (fanin schemes lists them), a scheme, a policy, a distribution, a function of a "
            "parameter, or an initializer of the framework",
        )
    if isinstance(scheme, type):
        raise FaninError(
            f"{scheme.__name__} is a class.", expected="an initializer", fix=f"{scheme.__name__}()"
        )
    name = label or getattr(scheme, "__name__", type(scheme).__name__)
    return Choice(name, scheme, f"{name}@{fingerprint(scheme)[:8]}")


def _is_rule(thing: Any) -> bool:
    """Return whether something is a function of a parameter; initializers are called with a dtype, too."""
    if not callable(thing) or isinstance(thing, type):
        return False
    try:
        signature = inspect.signature(thing)
    except ValueError:  # some of Python's own have none
        return False
    return _binds(signature, "parameter") and not _binds(signature, "shape", dtype=None)


def _binds(signature: inspect.Signature, *arguments: Any, **options: Any) -> bool:
    try:
        signature.bind(*arguments, **options)
    except TypeError:
        return False
    return True
