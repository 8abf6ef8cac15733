"""Which inputs of a program its outputs can have a gradient for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax.extend.core import Literal

_INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def reached(closed: Any, given: Sequence[int]) -> list[int]:
    """Return what each output of a program depends on by operations that pass a gradient.

    Args:
        closed: The program.
        given: For each input a set of whatever it depends on, as bits.

    Example:
        >>> import jax
        >>> closed = jax.make_jaxpr(lambda a, b, c: (a * b, jax.lax.stop_gradient(c) + a))(1.0, 2.0, 3.0)
        >>> reached(closed, [0b1, 0b10, 0b100])
        [3, 1]
    """
    return _through(closed.jaxpr, given)


def _through(jaxpr: Any, given: Sequence[int]) -> list[int]:
    known = dict.fromkeys(jaxpr.constvars, 0) | dict(zip(jaxpr.invars, given, strict=True))

    def read(atom: Any) -> int:
        return 0 if isinstance(atom, Literal) else known[atom]

    for equation in jaxpr.eqns:
        results = _of(equation, [read(atom) for atom in equation.invars])
        for variable, bits in zip(equation.outvars, results, strict=True):
            known[variable] = bits if jnp.issubdtype(variable.aval.dtype, jnp.inexact) else 0
    return [read(atom) for atom in jaxpr.outvars]


def _of(equation: Any, given: Sequence[int]) -> Sequence[int]:
    if equation.primitive.name == "stop_gradient":
        return [0] * len(equation.outvars)
    for name in _INNER:
        held = equation.params.get(name)
        program = getattr(held, "jaxpr", held)
        if program is not None and len(program.invars) == len(given) and equation.primitive.name != "scan":
            return _through(program, given)
    whole = 0
    for bits in given:
        whole |= bits
    return [whole] * len(equation.outvars)
