"""A jaxpr from its first equation to its last, as nodes of a signal graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from fanin.frameworks.jax.graph.builder import Builder
from fanin.frameworks.jax.graph.randomness import drawn, draws, normal, uniform
from fanin.frameworks.jax.graph.sources import is_librarys, line_of
from fanin.frameworks.jax.graph.table import LOOPS, TABLE
from fanin.frameworks.jax.graph.tags import Place, output_of, scope_of
from fanin.frameworks.jax.graph.values import Drawn, Known, Value
from fanin.graph.signal import Source

_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
    "composite": "jaxpr",
    "checkpoint": "jaxpr",
    "remat2": "jaxpr",
    "remat": "jaxpr",
}
"""Primitives that only call a program, and where they keep it."""


class Reader:
    """Reads programs into a graph.

    Args:
        graph: The graph in the making.
        place: The module that calls the program.
        line: File and line of the call, for what has none of its own.
        fixed: Whether the program's own lines say nothing: it is a library's.
    """

    def __init__(
        self, graph: Builder, place: Place, line: tuple[str, int] = ("", 0), *, fixed: bool = False
    ) -> None:
        self.graph, self.place, self.line, self.fixed = graph, place, line, fixed

    def run(self, program: Any, constants: Sequence[Value], arguments: Sequence[Value]) -> list[Value]:
        """Return the outputs of a program.

        Args:
            program: A jaxpr, not closed.
            constants: Values of its constants.
            arguments: Values of its inputs.
        """
        values: dict[Any, Value] = dict(
            zip((*program.constvars, *program.invars), (*constants, *arguments), strict=True)
        )

        def read(atom: Any) -> Value:
            return known(atom.val) if isinstance(atom, Literal) else values[atom]

        for equation in program.eqns:
            results = self._equation(equation, [read(atom) for atom in equation.invars])
            values.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in program.outvars]

    def below(self, equation: Any, program: Any) -> Reader:
        """Return a reader of a program that an equation calls."""
        place, line = self._where(equation)
        return Reader(self.graph, place, line, fixed=self.fixed or is_librarys(program))

    def _where(self, equation: Any) -> tuple[Place, tuple[str, int]]:
        place = scope_of(equation) or self.place
        own = ("", 0) if self.fixed else line_of(equation)
        return place, own if own[0] else self.line

    def _equation(self, equation: Any, inputs: list[Value]) -> list[Value]:
        place, (file, line) = self._where(equation)
        self.graph.source = Source(place.path, place.type, file, line)
        if ended := output_of(equation):
            if ended.path:
                self.graph.end_of_layer(ended.path, inputs[0])
            return inputs
        if draws(equation):
            return [Drawn(tuple(var.aval.shape), var.aval.dtype) for var in equation.outvars]
        if (found := normal(equation) or uniform(equation, inputs)) is not None:
            return found
        if equation.primitive.name in _CALLS:
            return self.call(equation, equation.params[_CALLS[equation.primitive.name]], inputs)
        return self._operation(equation, inputs)

    def call(self, equation: Any, held: Any, inputs: Sequence[Value]) -> list[Value]:
        """Return the outputs of a program that an equation calls with just these inputs."""
        program = getattr(held, "jaxpr", held)
        constants = [known(value) for value in getattr(held, "consts", ())]
        return self.below(equation, program).run(program, constants, inputs)

    def _operation(self, equation: Any, inputs: list[Value]) -> list[Value]:
        name = equation.primitive.name
        if name == "platform_index":
            platforms = equation.params["platforms"]
            fits = [place for place, names in enumerate(platforms) if names is None or "cpu" in names]
            return [Known(np.asarray(fits[0], np.int32))]
        if name in LOOPS:
            return LOOPS[name](self, equation, inputs)
        if all(isinstance(value, Known) for value in inputs):
            return computed(equation, inputs, self.graph.computed)
        if all(isinstance(value, Known | Drawn) for value in inputs):
            return drawn(equation, inputs)
        converter = TABLE.get(name)
        found = None if converter is None else converter(self.graph, equation, inputs)
        if found is None:
            return self.graph.opaque(name, inputs, [var.aval for var in equation.outvars])
        return found if isinstance(found, list) else [found]


def known(value: Any) -> Value:
    """Return a value of a program's own; random keys are no numbers."""
    dtype = getattr(value, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return Drawn(tuple(value.shape), dtype)
    return Known(np.asarray(value))


def computed(
    equation: Any, inputs: Sequence[Value], done: dict[Any, list[Value]] | None = None
) -> list[Value]:
    """Return the values of an equation that reads known ones only.

    Args:
        equation: The equation.
        inputs: What it reads.
        done: What was computed before: each layer makes its own mask, and all are the same.
    """
    key = None if done is None else _key(equation, inputs)
    if key is None or done is None:
        return _computed(equation, inputs)
    if key not in done:
        done[key] = _computed(equation, inputs)
    return done[key]


def _key(equation: Any, inputs: Sequence[Value]) -> Any:
    """Return what tells equations with the same values; None where they cannot be compared."""
    read = tuple(
        (str(v.dtype), np.asarray(v.array).item()) if not v.shape else id(v.array)
        for v in inputs
        if isinstance(v, Known)
    )
    key = equation.primitive.name, tuple(sorted(equation.params.items(), key=lambda item: item[0])), read
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _computed(equation: Any, inputs: Sequence[Value]) -> list[Value]:
    arrays = [value.array for value in inputs if isinstance(value, Known)]
    primitive, given = equation.primitive, equation.params
    if primitive.name == "broadcast_in_dim":
        return [Known(_broadcast(arrays[0], tuple(given["shape"]), given["broadcast_dimensions"]))]
    if primitive.name == "optimization_barrier":
        return list(inputs)
    with jax.default_device(jax.devices("cpu")[0]):
        results = primitive.bind(*arrays, **primitive.get_bind_params(given))
    results = results if primitive.multiple_results else [results]
    return [known(result) for result in results]


def _broadcast(array: Any, shape: tuple[int, ...], axes: Sequence[int]) -> np.ndarray:
    sizes = [1] * len(shape)
    for axis, size in zip(axes, np.shape(array), strict=True):
        sizes[axis] = size
    return np.broadcast_to(np.reshape(array, sizes), shape)
