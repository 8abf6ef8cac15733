"""Random numbers in a program: what is known of them without drawing any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fanin.frameworks.jax.graph.values import Drawn, Known, Value

_MOVING = frozenset({
    "broadcast_in_dim", "convert_element_type", "copy", "copy_p", "expand_dims", "name", "reshape", "squeeze",
    "stop_gradient", "transpose",
})  # fmt: skip
_SOURCES = ("random_", "rng_", "threefry2x32")
_FLIPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def draws(equation: Any) -> bool:
    """Return whether an equation makes random numbers or keys, whatever it is given."""
    return equation.primitive.name.startswith(_SOURCES)


def drawn(equation: Any, inputs: Sequence[Value]) -> list[Value]:
    """Return what is known of an equation's values where all that it reads is random or known."""
    plain = [Drawn(tuple(var.aval.shape), var.aval.dtype) for var in equation.outvars]
    random = [value for value in inputs if isinstance(value, Drawn)]
    if len(random) != 1 or len(plain) != 1:
        return list(plain)
    name, value = equation.primitive.name, random[0]
    told = replace(value, shape=plain[0].shape, dtype=plain[0].dtype)
    if name in _MOVING:
        return [replace(told, shared=_shared(equation, value, told.shape))]
    if name == "not" and value.keep is not None:
        return [replace(told, keep=1 - value.keep)]
    if name == "floor" and value.low is not None and 0 <= value.low <= 1 <= value.high <= 2:
        return [replace(told, keep=(value.high - 1) / (value.high - value.low), on=1.0, low=None)]
    numbers = [other.number() for other in inputs if isinstance(other, Known)]
    if len(inputs) != 2 or len(numbers) != 1 or numbers[0] is None:
        return list(plain)
    return [_with_number(name, told, float(numbers[0]), first=inputs[0] is value) or plain[0]]


def _shared(equation: Any, value: Drawn, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes of a moved value along which its elements are the same."""
    if equation.primitive.name == "broadcast_in_dim":
        places = equation.params["broadcast_dimensions"]
        own = {
            place
            for axis, place in enumerate(places)
            if axis not in value.shared and value.shape[axis] == shape[place]
        }
        return tuple(axis for axis, size in enumerate(shape) if axis not in own and size != 1)
    return value.shared if shape == value.shape else ()


def normal(equation: Any) -> list[Value] | None:
    """Return normal numbers where a call of JAX' own function makes them; None for any other call."""
    if equation.params.get("name") != "_normal":
        return None
    aval = equation.outvars[0].aval
    return [Drawn(tuple(aval.shape), aval.dtype, sd=1.0)]


def uniform(equation: Any, inputs: Sequence[Value]) -> list[Value] | None:
    """Return uniform numbers where a call of JAX' own function makes them; None for any other call."""
    if equation.params.get("name") != "_uniform" or len(inputs) != 3 or not isinstance(inputs[0], Drawn):
        return None
    low, high = (value.number() if isinstance(value, Known) else None for value in inputs[1:])
    if low is None or high is None:
        return None
    aval = equation.outvars[0].aval
    return [Drawn(tuple(aval.shape), aval.dtype, low=float(low), high=float(high))]


def _with_number(name: str, value: Drawn, number: float, *, first: bool) -> Drawn | None:
    """Return what a random value and a number make; None where nothing is known of it."""
    if value.keep is not None:
        if name == "mul" or (name == "div" and first):
            return replace(value, on=value.on * number if name == "mul" else value.on / number)
        return None
    if value.sd is not None:
        return _normal_with(name, value, number, first=first)
    if value.low is None:
        return None
    if name == "add" or (name == "sub" and first):
        moved = number if name == "add" else -number
        return replace(value, low=value.low + moved, high=value.high + moved)
    if name == "mul" and number > 0:
        return replace(value, low=value.low * number, high=value.high * number)
    compares = name if first else _FLIPPED.get(name, "")
    if compares not in _FLIPPED:
        return None
    below = float(np.clip((number - value.low) / (value.high - value.low), 0, 1))
    return replace(value, keep=below if compares in ("lt", "le") else 1 - below, on=1.0, low=None)


def _normal_with(name: str, value: Drawn, number: float, *, first: bool) -> Drawn | None:
    """Return what normal numbers and a number make; None where that is not normal."""
    assert value.sd is not None
    if name == "add" or (name == "sub" and first):
        return replace(value, mean=value.mean + (number if name == "add" else -number))
    if name == "mul" or (name == "div" and first):
        factor = number if name == "mul" else 1 / number
        return replace(value, mean=value.mean * factor, sd=value.sd * abs(factor))
    return None
