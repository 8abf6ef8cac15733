"""One level of a traced program: which equation made a value, and which function of which value it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from fanin.frameworks.jax.linen.tags import tag_of
from fanin.frameworks.jax.recognize import POINTS, named_by_values

_PASSING = frozenset({
    "reshape", "transpose", "squeeze", "expand_dims", "slice", "dynamic_slice", "rev", "copy", "copy_p",
    "reduce_window_max", "reduce_max", "sharding_constraint", "optimization_barrier",
})  # fmt: skip
_ELEMENTWISE = frozenset({
    "abs", "acos", "acosh", "add", "and", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "clamp",
    "convert_element_type", "cos", "cosh", "div", "eq", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1",
    "floor", "ge", "gt", "integer_pow", "is_finite", "le", "log", "log1p", "logistic", "lt", "max", "min",
    "mul", "ne", "neg", "not", "or", "pow", "round", "rsqrt", "select_n", "sign", "sin", "sinh", "sqrt",
    "square", "stop_gradient", "sub", "tan", "tanh", "xor",
})  # fmt: skip
# Equations that call a program with just their own inputs, under the name of the parameter that holds it.
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "checkpoint": "jaxpr",
    "remat2": "jaxpr",
}


def is_constant(value: Any) -> bool:
    """Return whether a value stands in the program itself."""
    return isinstance(value, Literal)


def calls_inside(equation: Any) -> Iterator[tuple[Level, bool]]:
    """Yield the programs that an equation calls, each with whether it gets just the equation's inputs."""
    own = equation.params.get(_CALLS.get(equation.primitive.name, ""))
    for held in equation.params.values():
        for inner in held if isinstance(held, tuple | list) else (held,):
            if hasattr(inner, "jaxpr") or hasattr(inner, "eqns"):
                program = getattr(inner, "jaxpr", inner)
                yield Level(program, getattr(inner, "consts", ())), inner is own


def _is_elementwise(equation: Any) -> bool:
    name = equation.primitive.name
    small = name == "broadcast_in_dim" and not equation.invars[0].aval.shape
    return name in _ELEMENTWISE or name == "name" or small or _is_function(equation)


def _is_function(equation: Any) -> bool:
    """Return whether an equation calls a program that is an elementwise function."""
    if equation.primitive.name not in _CALLS or len(equation.outvars) != 1:
        return False
    inner = next(level for level, known in calls_inside(equation) if known)
    return all(_is_elementwise(step) and step.primitive.name != "name" for step in inner.equations)


class Level:
    """A program without the programs that it calls.

    Args:
        program: The program.
        constants: The values of its constants.
    """

    def __init__(self, program: Any, constants: Any = ()) -> None:
        self.equations = program.eqns
        self.outputs = program.outvars
        self._made = {value: equation for equation in program.eqns for value in equation.outvars}
        self._places = {value: place for place, value in enumerate(program.invars)}
        self._constants = dict(zip(program.constvars, constants, strict=False))
        self._roots: dict[Any, Any] = {}
        self._read_roots()

    def made_by(self, value: Any) -> Any:
        """Return the equation that made a value; None for inputs, constants and no value at all."""
        return None if is_constant(value) else self._made.get(value)

    def place(self, value: Any) -> int | None:
        """Return the place of a value among the inputs; None for any other."""
        return None if is_constant(value) else self._places.get(value)

    def passes(self, equation: Any) -> bool:
        """Return whether an equation keeps the distribution of its input's elements."""
        return equation.primitive.name in _PASSING

    def only(self, equation: Any) -> Any:
        """Return the one input that an equation scales or masks; None where there is not just one."""
        if equation.primitive.name not in ("mul", "div", "select_n", "convert_element_type"):
            return None
        inputs = equation.invars[1:] if equation.primitive.name == "select_n" else equation.invars
        varying = [value for value in inputs if self.root(value) is not None]
        return varying[0] if len(varying) == 1 else None

    def root(self, value: Any) -> Any:
        """Return the last value that a value is an elementwise function of; None for constants.

        It may be the value itself: the output of a layer, a sum of two others, or what no function explains.
        """
        if is_constant(value) or value in self._constants:
            return None
        return self._roots.get(value, value)

    def _read_roots(self) -> None:
        for equation in self.equations:
            if not _is_elementwise(equation) or tag_of(equation, "out"):
                continue
            found = {root for value in equation.invars if (root := self.root(value)) is not None}
            if len(found) < 2:
                self._roots[equation.outvars[0]] = next(iter(found), None)

    def depends(self, value: Any, ancestor: Any) -> bool:
        """Return whether a value is computed from another one, or is that."""
        waiting, seen = [value], set()
        while waiting:
            current = waiting.pop()
            if current is ancestor:
                return True
            if is_constant(current) or current in seen:
                continue
            seen.add(current)
            equation = self._made.get(current)
            waiting += equation.invars if equation is not None else ()
        return False

    def activation(self, value: Any, root: Any) -> str:
        """Return the name of the activation that makes a value of its root; empty where none is known."""
        return named_by_values(self._values(value, root))

    def is_scaled(self, value: Any, root: Any) -> bool:
        """Return whether a value is its root times a positive number."""
        values, points = self._values(value, root), np.asarray(POINTS)
        ratio = values / points if values.shape == points.shape else np.zeros(1)
        return bool(np.allclose(ratio, ratio[0], rtol=1e-5) and ratio[0] > 0)

    def _values(self, value: Any, root: Any) -> np.ndarray:
        """Return an elementwise function's values at `POINTS`; none where it cannot be computed."""
        try:
            with jax.ensure_compile_time_eval():
                points = jnp.asarray(POINTS, root.aval.dtype)
                return np.asarray(jax.vmap(lambda x: self._at(value, {root: x}))(points), np.float64)
        except (
            Exception
        ):  # constants that are arrays, functions of integers, and whatever else is no activation
            return np.zeros(0)

    def _at(self, value: Any, known: dict[Any, Any]) -> Any:
        if is_constant(value):
            return jnp.asarray(value.val)
        if value not in known:
            equation = self._made.get(value)
            known[value] = self._constants[value] if equation is None else self._result(equation, known)
        return known[value]

    def _result(self, equation: Any, known: dict[Any, Any]) -> Any:
        inputs = [self._at(value, known) for value in equation.invars]
        if equation.primitive.name in ("name", "broadcast_in_dim"):
            return inputs[0]
        for inner, own in calls_inside(equation):
            if own:
                return inner._at(inner.outputs[0], dict(zip(inner._places, inputs, strict=True)))
        return equation.primitive.bind(*inputs, **equation.params)
