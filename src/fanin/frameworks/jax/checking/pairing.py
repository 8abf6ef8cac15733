"""Whether a loss compares each output with every target, as their shapes differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jax.extend.core import Literal

_INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")
_MOVING = (
    "broadcast_in_dim", "convert_element_type", "copy", "reshape", "squeeze", "stop_gradient", "transpose",
)  # fmt: skip
_OUTPUT, _TARGET = 1, 2


class _Held(NamedTuple):
    """What a value is made of.

    Args:
        of: Of outputs, of targets, or of both, as bits.
        size: Numbers in the array that it is, in another shape or several times; 0 where it is none of them.
    """

    of: int = 0
    size: int = 0


def pairs_all(program: Any, outputs: int) -> bool:
    """Return whether a loss subtracts all targets from each output, and compares no outputs with each other.

    Args:
        program: The loss, as a program of the outputs' arrays, then those of the targets.
        outputs: How many arrays are outputs.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> mse = jax.make_jaxpr(lambda output, target: jnp.mean(jnp.square(output - target)))
        >>> pairs_all(mse(jnp.ones((8, 1)), jnp.ones(8)), 1), pairs_all(mse(jnp.ones(8), jnp.ones(8)), 1)
        (True, False)
    """
    variables = program.jaxpr.invars
    given = [
        _Held(_OUTPUT if n < outputs else _TARGET, math.prod(one.aval.shape))
        for n, one in enumerate(variables)
    ]
    found = set(_crossed(program.jaxpr, given))
    return _OUTPUT | _TARGET in found and _OUTPUT not in found


def _crossed(jaxpr: Any, given: Sequence[_Held]) -> Iterator[int]:
    """Yield of what each difference is that has more numbers than either side had."""
    known = dict(zip(jaxpr.invars, given, strict=True))
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        read = [_Held() if isinstance(a, Literal) else known.get(a, _Held()) for a in equation.invars]
        inner = next((held for one in _INNER if (held := equation.params.get(one)) is not None), None)
        program = getattr(inner, "jaxpr", inner)
        if program is not None and len(program.invars) == len(read) and name != "scan":
            yield from _crossed(program, read)
        sizes = [one.size for one in read]
        if name == "sub" and all(sizes) and math.prod(equation.outvars[0].aval.shape) > max(sizes):
            yield read[0].of | read[1].of
        whole = 0
        for one in read:
            whole |= one.of
        for variable in equation.outvars:
            known[variable] = _Held(whole, sizes[0] if name in _MOVING else 0)
