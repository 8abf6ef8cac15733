"""From the text of a scheme, such as "normal(stddev=0.02)" or "he_normal + chrono(100)", to the scheme."""

from __future__ import annotations

import ast
from typing import Any

from fanin.errors import FaninError, nearest
from fanin.schemes.catalogue import ALIASES, CATALOGUE
from fanin.schemes.scheme import Scheme


def get_scheme(text: str) -> Scheme:
    """Return the scheme that a text names.

    Args:
        text: A name or an alias, or a call of one with literal arguments, or a sum of these, in which the
            later ones come first.

    Raises:
        FaninError: The name or an argument is unknown, or the text is malformed.

    Example:
        >>> get_scheme("normal(stddev=0.02)").label, get_scheme("kaiming_normal").label
        ('normal(stddev=0.02)', 'he_normal')
    """
    try:
        return _evaluated(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError):
        raise FaninError(
            f"The scheme {text!r} cannot be read.",
            expected="a name, name(argument=number), or a sum of these",
        ) from None


def _evaluated(tree: ast.expr) -> Scheme:
    """Return the scheme of a syntax tree; literals only, nothing is run."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        return _evaluated(tree.left) + _evaluated(tree.right)
    if isinstance(tree, ast.Name):
        return _named(tree.id, [], {})
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        keywords = {word.arg: ast.literal_eval(word.value) for word in tree.keywords if word.arg}
        if len(keywords) < len(tree.keywords):
            raise ValueError("an argument is given twice, or by **")
        return _named(tree.func.id, [ast.literal_eval(value) for value in tree.args], keywords)
    raise ValueError("neither a name, nor a call, nor a sum")


def _named(given: str, positional: list[Any], keywords: dict[str, Any]) -> Scheme:
    name = ALIASES.get(given, given)
    if name not in CATALOGUE:
        near = nearest(given, [*CATALOGUE, *ALIASES])
        raise FaninError(
            f"There is no scheme {given!r}.",
            expected=f"perhaps {near}" if near else "",
            fix="fanin schemes lists them all",
        )
    return CATALOGUE[name](*positional, **keywords)
