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
    if isinstance(schemes, str):
        schemes = [schemes]
    pairs = schemes.items() if isinstance(schemes, Mapping) else [(None, scheme) for scheme in schemes]
    choices = tuple(_choice(label, scheme) for label, scheme in pairs)
    if not choices:
        raise FaninError("There are no schemes to compare.", fix="--schemes zeros,he_normal")
    labels = [choice.label for choice in choices]
    for label in labels:
        if labels.count(label) > 1:
            raise FaninError(
                f"Two schemes are called {label!r}.", fix="give them labels: {'a': ..., 'b': ...}"
            )
    return choices


def _choice(label: str | None, scheme: Any) -> Choice:
    if isinstance(scheme, str):
        # The user's own spelling is the label: an alias stays recognizable.
        found = get_scheme(scheme)
        return Choice(label or scheme.strip(), found, found.label)
    if isinstance(scheme, Scheme):
        return Choice(label or scheme.label, scheme, f"{scheme.label}@{fingerprint(scheme)[:8]}")
    if not callable(scheme):
        raise FaninError(
            f"{scheme!r} is not a scheme.",
            expected="a name (fanin schemes lists them), a fanin scheme, or an initializer of the framework",
        )
    name = label or getattr(scheme, "__name__", type(scheme).__name__)
    return Choice(name, scheme, f"{name}@{fingerprint(scheme)[:8]}")
