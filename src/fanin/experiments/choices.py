"""From what a user calls a scheme to a choice of a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fanin.errors import FaninError
from fanin.experiments.fingerprint import fingerprint
from fanin.frameworks.training import Choice
from fanin.schemes.parse import get_scheme
from fanin.schemes.scheme import Scheme


def as_choices(schemes: Iterable[Any] | Mapping[str, Any]) -> tuple[Choice, ...]:
    """Return the schemes of a study.

    Args:
        schemes: Names ("he_normal", "normal(stddev=0.02)"), fanin schemes, or the framework's
            initializers; or a mapping from labels to these.

    Raises:
        FaninError: A name is unknown, there is none, or two have one label.

    Example:
        >>> [choice.label for choice in as_choices(["zeros", "he_normal"])]
        ['zeros', 'he_normal']
    """
    if isinstance(schemes, str | Scheme) or not isinstance(schemes, Iterable):
        schemes = [schemes]
    pairs = schemes.items() if isinstance(schemes, Mapping) else [(None, scheme) for scheme in schemes]
    choices = tuple(_choice(None if label is None else str(label), scheme) for label, scheme in pairs)
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


def _check_by_kernel(scheme: Scheme) -> None:
    """Refuse schemes that need to know the model's blocks: runs are drawn kernel by kernel."""
    roles = [role for role in scheme.others if role != "bias"]
    if roles:
        raise FaninError(
            f"{scheme.label} has rules for {', '.join(roles)}, which compare does not look at yet.",
            expected="a scheme for single kernels",
            fix="fanin.initialize and fanin plan take it",
        )


def _choice(label: str | None, scheme: Any) -> Choice:
    if isinstance(scheme, str):
        # The user's own spelling is the label: an alias stays recognizable.
        found = get_scheme(scheme)
        _check_by_kernel(found)
        return Choice(label or scheme.strip(), found, found.label)
    if isinstance(scheme, Scheme):
        return Choice(label or scheme.label, scheme, f"{scheme.label}@{fingerprint(scheme)[:8]}")
    if not callable(scheme):
        raise FaninError(
            f"{scheme!r} is not a scheme.",
            expected="a name (fanin schemes lists them), a fanin scheme, or an initializer of the framework",
        )
    if isinstance(scheme, type):
        raise FaninError(
            f"{scheme.__name__} is a class.", expected="an initializer", fix=f"{scheme.__name__}()"
        )
    name = label or getattr(scheme, "__name__", type(scheme).__name__)
    return Choice(name, scheme, f"{name}@{fingerprint(scheme)[:8]}")
