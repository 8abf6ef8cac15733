"""From the text of an activation, such as "leaky_relu(0.2)", to the activation."""

from __future__ import annotations

import math
import re

from fanin.errors import FaninError, nearest
from fanin.theory.activation import Activation
from fanin.theory.catalogue import ALIASES, CATALOGUE, GATED, JOINT, Known

_CALL = re.compile(r"\s*([\w\s-]+?)\s*(?:\((.*)\))?\s*")
_NUMBERED = re.compile(r"(\w+?)_(-?\d+(?:\.\d+)?)")  # leaky_relu_0.2
_FLAT = {re.sub("_", "", name): name for name in (*ALIASES, *CATALOGUE, *GATED, *JOINT)}


def named(text: str) -> Activation:
    """Return the activation that a text names.

    Args:
        text: A name in any spelling (silu, SiLU, hard_tanh, hardtanh), with numbers where it takes
            some: leaky_relu(0.2), leaky_relu(negative_slope=0.2) or leaky_relu_0.2.

    Raises:
        FaninError: There is no such name or argument, or it is no function of one number.

    Example:
        >>> named("LeakyReLU(0.2)").name, named("swish").name
        ('leaky_relu(0.2)', 'silu')
    """
    name, arguments = _split(text)
    known = CATALOGUE[name]
    values = _bound(name, known, arguments)
    value, derivative = known.make(*values.values())
    given = [f"{number:g}" for key, number in values.items() if number != known.defaults[key]]
    # All of them once one differs: their order says which is which.
    inside = ", ".join(f"{number:g}" for number in values.values()) if given else ""
    return Activation(f"{name}({inside})" if inside else name, value, derivative, "closed form")


def _split(text: str) -> tuple[str, list[str]]:
    """Return the catalogue's name and the arguments as texts."""
    call = _CALL.fullmatch(text)
    spelt, inside = (call[1], call[2]) if call else (text, "")
    if not _flat(spelt) and (numbered := _NUMBERED.fullmatch(text.strip())):
        spelt, inside = numbered.groups()
    name = _flat(spelt)
    if name in GATED:
        raise gated(text)
    if name in JOINT:
        raise joint(text)
    if not name:
        near = nearest(spelt.lower(), [*CATALOGUE, *ALIASES])
        raise FaninError(
            f"There is no activation {text!r}.",
            expected=f"perhaps {near}" if near else f"one of {', '.join(CATALOGUE)}",
            fix="file.py:function for one of your own",
        )
    return ALIASES.get(name, name), [part for part in (inside or "").split(",") if part.strip()]


def _flat(spelt: str) -> str:
    """Return the name that a spelling stands for, whatever its capitals and underscores; or nothing."""
    return _FLAT.get(re.sub(r"[\s_-]", "", spelt).lower(), "")


def gated(name: str) -> FaninError:
    """Return the error for a unit that halves the width."""
    return FaninError(
        f"{name} is gated: it halves the width, so it is no function of one number.",
        expected="a function that is applied to each element",
        fix="ask for the gate's own function, as silu in SwiGLU",
    )


def joint(name: str) -> FaninError:
    """Return the error for a function that looks at several elements at once."""
    return FaninError(
        f"{name} mixes its elements: an output depends on more than one input.",
        expected="a function that is applied to each element",
    )


def _bound(name: str, known: Known, arguments: list[str]) -> dict[str, float]:
    takes = ", ".join(f"{key}={value:g}" for key, value in known.defaults.items()) or "no arguments"
    if len(arguments) > len(known.defaults):
        raise FaninError(f"{name} does not take {', '.join(arguments)}.", expected=f"{name} takes {takes}")
    values = dict(known.defaults)
    for key, text in zip(known.defaults, arguments, strict=False):
        left, equals, right = text.rpartition("=")
        key = left.strip() if equals else key
        number = _number(right)
        if key not in values or number is None:
            raise FaninError(f"{name} does not take {text.strip()}.", expected=f"{name} takes {takes}")
        values[key] = number
    return values


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
