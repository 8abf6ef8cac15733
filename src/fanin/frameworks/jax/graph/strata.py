"""Laws of first values, from the initializers: run on a grid of random bits in place of random ones.

An initializer is a jaxpr from a key to arrays. Where each value of an array is a function of random bits of
its own, as normal, uniform and truncated ones are, the function is computed once for each of 65,536 values
that stand for all bits, in the middle of as many equal ranges. The array itself is never made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal, jaxpr_as_fun
from scipy.special import ndtri

from fanin.graph.signal import Law

_POINTS = 65_536
_SMALL = 1 << 20
"""An array of so many values is made and measured where no function of single bits explains it."""

_LARGEST = 1 << 24
"""A known array of more values is not made."""

_CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")
_IN_PLACE = frozenset({
    "broadcast_in_dim", "copy", "copy_p", "expand_dims", "name", "optimization_barrier", "reshape",
    "sharding_constraint", "squeeze", "stop_gradient",
})  # fmt: skip
_MOVING = _IN_PLACE | {"dynamic_slice", "gather", "rev", "slice", "transpose"}
_MIXING = frozenset({
    "argmax", "argmin", "concatenate", "conv_general_dilated", "cumsum", "dot_general", "pad", "reduce_and",
    "reduce_max", "reduce_min", "reduce_or", "reduce_sum", "scatter", "select_and_scatter_add", "sort",
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Grid:
    """An array whose values all have one law: values that stand for it."""

    values: np.ndarray
    orthogonal: bool = False


@dataclass(frozen=True, eq=False)
class _Known:
    """An array that is known."""

    array: np.ndarray


class _Key:
    """A random key, or what only makes some."""


class _Unknown:
    """What is not a function of single random bits."""


class _Triangle(_Unknown):
    """What is computed from the triangle of a QR decomposition, whose signs are as often + as -."""


_Value = _Grid | _Known | _Key | _Unknown


def laws_of_start(closed: Any, wanted: Sequence[int]) -> list[Law | None]:
    """Return the laws of some of the arrays that a program makes from a random key.

    Args:
        closed: A closed jaxpr from a key to arrays.
        wanted: Which of them.

    Returns:
        A law each; None where nobody knows.

    Example:
        >>> closed = jax.make_jaxpr(lambda key: jax.random.uniform(key, (10, 10)))(jax.random.key(0))
        >>> laws_of_start(closed, [0])[0].mean
        0.5
    """
    found = _Start(closed).run(wanted)
    return [_law(value, closed, place) for value, place in zip(found, wanted, strict=True)]


def _law(value: _Value, closed: Any, place: int) -> Law | None:
    if isinstance(value, _Known):
        array = value.array.astype(np.float64)
        variance = float(array.var()) if array.size else 0.0
        return Law(float(array.mean()) if array.size else 0.0, variance, "" if variance else "constant")
    if isinstance(value, _Grid):
        wide = value.values.astype(np.float64)
        mean, variance = float(wide.mean()), float(wide.var())
        return Law(_rounded(mean, variance), variance, _name(wide, value), value.orthogonal)
    return _measured(closed, place)


def _rounded(mean: float, variance: float) -> float:
    """Return a mean, 0 where it is but the grid's rounding."""
    return 0.0 if abs(mean) < 1e-5 * math.sqrt(variance) else mean


def _name(values: np.ndarray, value: _Grid) -> str:
    if value.orthogonal:
        return "orthogonal"
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    if variance == 0:
        return "constant"
    furthest, kurtosis = (
        float(np.abs(centred).max()) / math.sqrt(variance),
        float(np.mean(centred**4)) / variance**2,
    )
    if abs(kurtosis - 1.8) < 1e-3:
        return "uniform"
    if abs(kurtosis - 3) < 0.01:
        return "normal"
    return "truncated normal" if abs(furthest - 2 / 0.8796256610) < 1e-2 else ""


def _measured(closed: Any, place: int) -> Law | None:
    """Return the law of an array's own values, made from one key, if it is small."""
    if math.prod(closed.out_avals[place].shape) > _SMALL:
        return None
    jaxpr = closed.jaxpr.replace(outvars=[closed.jaxpr.outvars[place]], debug_info=None)
    made = jax.jit(jaxpr_as_fun(closed.replace(jaxpr=jaxpr)))(jax.random.key(0))[0]
    array = np.asarray(made)
    if array.dtype.kind not in "fiub":
        return None
    return Law(float(array.mean(dtype=np.float64)), float(array.var(dtype=np.float64)))


class _Start:
    """Runs a program on grids."""

    def __init__(self, closed: Any) -> None:
        self.closed = closed
        self._rng = np.random.default_rng(0)

    def run(self, wanted: Sequence[int]) -> list[_Value]:
        """Return some of the program's values."""
        constants = [_of_constant(value) for value in self.closed.consts]
        found = self._program(self.closed.jaxpr, constants, [_Key()], set(wanted))
        return [found[place] for place in wanted]

    def _program(
        self, jaxpr: Any, constants: Sequence[_Value], arguments: Sequence[_Value], wanted: set[int]
    ) -> list[_Value]:
        """Return a program's values, those that are wanted; the others are not known."""
        values: dict[Any, _Value] = dict(
            zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *arguments), strict=True)
        )

        def read(atom: Any) -> _Value:
            if isinstance(atom, Literal):
                return _of_constant(atom.val)
            return values.get(atom) or _Unknown()

        for equation, needed in _needed(jaxpr, wanted):
            results = self._equation(equation, [read(atom) for atom in equation.invars], needed)
            values.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: Any, inputs: list[_Value], wanted: set[int]) -> list[_Value]:
        name, outputs = equation.primitive.name, equation.outvars
        if name == "random_bits":
            return [self._bits(equation.params["bit_width"])]
        if name.startswith(("random_", "threefry")):
            return [_Key() for _ in outputs]
        if name == "scan":
            return self._scan(equation, inputs, wanted)
        held = next((equation.params[key] for key in _CALLS if key in equation.params), None)
        if held is not None:
            program, constants = getattr(held, "jaxpr", held), getattr(held, "consts", ())
            return self._program(program, [_of_constant(value) for value in constants], inputs, wanted)
        if all(isinstance(value, _Known) for value in inputs):
            large = sum(math.prod(var.aval.shape) for var in outputs) > _LARGEST
            if large and name != "broadcast_in_dim":
                return [_Unknown() for _ in outputs]
            return _computed(equation, inputs)
        if any(isinstance(value, _Key) for value in inputs):
            return [_Key() for _ in outputs]
        return self._of_grids(equation, inputs)

    def _of_grids(self, equation: Any, inputs: list[_Value]) -> list[_Value]:
        name, outputs = equation.primitive.name, equation.outvars
        if name in ("qr", "householder_product"):
            return self._orthonormal(equation)
        if name == "geqrf":
            return [_Triangle() for _ in outputs]
        if any(isinstance(value, _Triangle) for value in inputs):
            if name == "sign":
                return [_Grid(self._rng.permutation(np.resize(np.array([-1, 1], "float32"), _POINTS)))]
            if not any(isinstance(value, _Grid) for value in inputs):
                return [_Triangle() for _ in outputs]
        return [self._elementwise(equation, inputs)] if len(outputs) == 1 else [_Unknown() for _ in outputs]

    def _bits(self, width: int) -> _Grid:
        step = 2.0**width / _POINTS
        values = np.arange(_POINTS) * step + step / 2 if width > 16 else np.arange(_POINTS) % 2**width
        return _Grid(self._rng.permutation(values).astype(f"uint{width}"))

    def _normal(self) -> np.ndarray:
        return self._rng.permutation(ndtri((np.arange(_POINTS) + 0.5) / _POINTS)).astype(np.float32)

    def _orthonormal(self, equation: Any) -> list[_Value]:
        """Return a matrix with orthonormal rows or columns, and the triangle that is left."""
        rows, columns = equation.outvars[0].aval.shape[-2:]
        values = self._normal() / np.float32(math.sqrt(max(rows, columns)))
        return [_Grid(values, orthogonal=True), *(_Triangle() for _ in equation.outvars[1:])]

    def _scan(self, equation: Any, inputs: list[_Value], wanted: set[int]) -> list[_Value]:
        """Return the values of one step, as all steps have the same law; what is carried is not known."""
        given = equation.params
        first, carried = given["num_consts"], given["num_carry"]
        starts, sequences = inputs[first : first + carried], inputs[first + carried :]
        # What differs from step to step has no law of one step.
        steps = [_Unknown() if isinstance(value, _Known) else value for value in sequences]
        same = [value if isinstance(value, _Key) else _Unknown() for value in starts]
        program = given["jaxpr"]
        constants = [_of_constant(value) for value in program.consts]
        results = self._program(program.jaxpr, constants, [*inputs[:first], *same, *steps], wanted)
        length = given["length"]
        return [*same, *(_repeated(value, length) for value in results[carried:])]

    def _elementwise(self, equation: Any, inputs: list[_Value]) -> _Value:
        name = equation.primitive.name
        if name in _MOVING and isinstance(inputs[0], _Grid):
            moved = inputs[0]
            # An element meets another one than itself where the moved array and the array are put together.
            return moved if name in _IN_PLACE else replace(moved, values=self._rng.permutation(moved.values))
        if any(isinstance(value, _Unknown) for value in inputs) or name in _MIXING:
            return _Unknown()
        arrays = [self._sampled(value) for value in inputs]
        given = equation.primitive.get_bind_params(equation.params)
        try:
            result = np.asarray(equation.primitive.bind(*arrays, **given))
        except Exception:  # it is no function of single values
            return _Unknown()
        if result.shape != (_POINTS,):
            return _Unknown()
        orthogonal = any(isinstance(value, _Grid) and value.orthogonal for value in inputs)
        return _Grid(result, orthogonal and name in ("mul", "div", "convert_element_type", "neg"))

    def _sampled(self, value: _Value) -> np.ndarray:
        """Return values that stand for an operand."""
        if isinstance(value, _Grid):
            return value.values
        assert isinstance(value, _Known)
        array = value.array
        flat = array.reshape(-1)
        if array.ndim == 0 or flat.size == 1 or (flat == flat[0]).all():
            return np.broadcast_to(flat[0], (_POINTS,)).copy()
        return self._rng.permutation(np.resize(flat, _POINTS))


def _needed(jaxpr: Any, wanted: set[int]) -> list[tuple[Any, set[int]]]:
    """Return the equations that some of a program's outputs depend on, each with which values of it."""
    variables = {jaxpr.outvars[place] for place in wanted if not isinstance(jaxpr.outvars[place], Literal)}
    found: list[tuple[Any, set[int]]] = []
    for equation in reversed(jaxpr.eqns):
        own = {place for place, var in enumerate(equation.outvars) if var in variables}
        if own:
            found.append((equation, own))
            variables.update(atom for atom in equation.invars if not isinstance(atom, Literal))
    return found[::-1]


def _repeated(value: _Value, length: int) -> _Value:
    """Return what a value of one step is for all steps."""
    if isinstance(value, _Known):
        return _Known(np.broadcast_to(value.array, (length, *value.array.shape)))
    return value


def _of_constant(value: Any) -> _Value:
    dtype = getattr(value, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return _Key()
    return _Known(np.asarray(value))


def _computed(equation: Any, inputs: Sequence[_Value]) -> list[_Value]:
    primitive, given = equation.primitive, equation.params
    arrays = [value.array for value in inputs if isinstance(value, _Known)]
    if primitive.name == "broadcast_in_dim":
        sizes = [1] * len(given["shape"])
        for axis, size in zip(given["broadcast_dimensions"], np.shape(arrays[0]), strict=True):
            sizes[axis] = size
        return [_Known(np.broadcast_to(np.reshape(arrays[0], sizes), given["shape"]))]
    results = primitive.bind(*arrays, **primitive.get_bind_params(given))
    return [_Known(np.asarray(result)) for result in (results if primitive.multiple_results else [results])]
