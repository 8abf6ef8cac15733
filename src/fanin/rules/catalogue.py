"""All rules, by code."""

from __future__ import annotations

import difflib

from fanin.errors import FaninError
from fanin.rules import (
    backward,
    expected,
    forward,
    inputs,
    numbers,
    outputs,
    recurrences,
    residual,
    saturation,
    seeds,
    setup,
    stacks,
    symmetry,
    tables,
    targets,
    width,
)
from fanin.rules.rule import Rule

FAMILIES = {
    "NUM": "numbers that are none, or out of range",
    "SET": "parameters that are not set up",
    "INP": "inputs and targets",
    "SYM": "copies of units, tensors and layers",
    "SAT": "saturated and dead units",
    "FWD": "signals along depth",
    "RES": "residual streams",
    "OUT": "the last layer and the first loss",
    "BWD": "gradients along depth",
    "WID": "what changes with the width",
}
"""Families in the order in which causes are looked for."""

RULES: dict[str, Rule] = {
    rule.code: rule()
    for module in (
        numbers,
        setup,
        expected,
        stacks,
        inputs,
        targets,
        tables,
        symmetry,
        saturation,
        seeds,
        forward,
        residual,
        outputs,
        backward,
        recurrences,
        width,
    )
    for rule in module.RULES
}


def rule(code: str) -> Rule:
    """Return the rule of a code or a name.

    Args:
        code: Such as "FWD101" or "vanishing-forward-signal".

    Raises:
        FaninError: There is none.

    Example:
        >>> rule("FWD101").name
        'vanishing-forward-signal'
    """
    known = {**RULES, **{one.name: one for one in RULES.values()}}
    wanted = code.upper() if code.upper() in known else code.lower()
    if wanted not in known:
        close = difflib.get_close_matches(wanted, known, n=1)
        raise FaninError(
            f"There is no rule {code}.",
            expected=", ".join(RULES),
            fix=f"fanin rule {close[0]}" if close else "fanin rule, which lists all",
        )
    return known[wanted]


def matching(patterns: tuple[str, ...]) -> set[str]:
    """Return the codes that begin with one of some patterns, or have one of some names.

    Args:
        patterns: Such as "FWD", "FWD101", "stuck-zeros" or "ALL".

    Raises:
        FaninError: A pattern matches nothing.

    Example:
        >>> sorted(matching(("NUM", "stuck-zeros")))
        ['NUM101', 'NUM102', 'NUM103', 'SET103']
    """
    found: set[str] = set()
    for pattern in patterns:
        if pattern.upper() == "ALL":
            found |= set(RULES)
            continue
        codes = {code for code in RULES if code.startswith(pattern.upper())}
        found |= codes or {rule(pattern).code}
    return found
