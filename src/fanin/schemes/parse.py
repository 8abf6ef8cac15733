"""From the text of a scheme, such as "normal(stddev=0.02)", to the scheme."""

from __future__ import annotations

import ast
import math
from typing import Any

from fanin.errors import FaninError, nearest
from fanin.schemes.catalogue import ALIASES, CATALOGUE
from fanin.schemes.entry import Entry
from fanin.schemes.scheme import Scheme


def get_scheme(text: str) -> Scheme:
    """Return the scheme that a text names.

    Args:
        text: A name or an alias, or a call of one with literal numbers.

    Raises:
        FaninError: The name or an argument is unknown, or the text is malformed.

    Example:
        >>> get_scheme("normal(stddev=0.02)").label, get_scheme("kaiming_normal").label
        ('normal(stddev=0.02)', 'he_normal')
    """
    given, positional, keywords = _parsed(text)
    name = ALIASES.get(given, given)
    if name not in CATALOGUE:
        near = nearest(given, [*CATALOGUE, *ALIASES])
        raise FaninError(
            f"There is no scheme {given!r}.",
            expected=f"perhaps {near}" if near else "",
            fix="fanin schemes lists them all",
        )
    entry = CATALOGUE[name]
    arguments = _bound(name, entry, positional, keywords)
    return Scheme(
        name=name,
        rule=entry.make(*arguments.values()),
        summary=entry.summary,
        formula=entry.formula,
        source=entry.source,
        assumptions=entry.assumptions,
        arguments=tuple((key, value) for key, value in arguments.items() if value != entry.defaults[key]),
        others=entry.others(*arguments.values()),
        needs=entry.needs,
    )


def _parsed(text: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Return name, positional and keyword arguments; literals only, nothing is evaluated."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Name):
            return tree.id, [], {}
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            keywords = {word.arg: ast.literal_eval(word.value) for word in tree.keywords}
            if len(keywords) < len(tree.keywords) or None in keywords:
                raise ValueError("an argument is given twice, or by **")
            positional = [ast.literal_eval(value) for value in tree.args]
            return tree.func.id, positional, {str(key): value for key, value in keywords.items()}
    except (SyntaxError, ValueError):
        pass
    raise FaninError(f"The scheme {text!r} cannot be read.", expected="a name, or name(argument=number)")


def _bound(name: str, entry: Entry, positional: list[Any], keywords: dict[str, Any]) -> dict[str, float]:
    given = dict(zip(entry.defaults, positional, strict=False)) | keywords
    known = ", ".join(f"{key}={value}" for key, value in entry.defaults.items()) or "no arguments"
    count = len(positional) + len(keywords)
    if count > len(given) or not given.keys() <= entry.defaults.keys():
        raise FaninError(
            f"{name} does not take {_shown(positional, keywords)}.", expected=f"{name} takes {known}"
        )
    for key, value in given.items():
        _check_number(name, key, value, known)
    arguments = {**entry.defaults, **{key: float(value) for key, value in given.items()}}
    low, high = arguments.get("minval", 0.0), arguments.get("maxval", math.inf)
    if "minval" in arguments and low > high:
        raise FaninError(f"{name} goes from {low:g} to {high:g}.", expected="minval below maxval")
    return arguments


def _check_number(name: str, key: str, value: Any, known: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FaninError(f"{key}={value!r} is not a number.", expected=f"{name} takes {known}")
    # What float32 cannot hold would only show as diverged runs.
    if not abs(value) < 3e38 or (key == "stddev" and value < 0):
        wanted = "a finite number, not negative" if key == "stddev" else "a finite number"
        raise FaninError(f"{name} has {key}={value}.", expected=wanted)


def _shown(positional: list[Any], keywords: dict[str, Any]) -> str:
    return ", ".join([*map(repr, positional), *(f"{key}={value!r}" for key, value in keywords.items())])
