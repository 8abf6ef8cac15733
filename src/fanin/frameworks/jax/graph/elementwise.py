"""Functions of elements, of one value or of several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fanin.frameworks.jax.graph.builder import Builder, is_causal
from fanin.frameworks.jax.graph.table import converts
from fanin.frameworks.jax.graph.values import Drawn, Known, Made, Shape, Spread, Value

_FUNCTIONS = {
    "abs": "abs", "add": "add", "add_any": "add", "atan": "arctan", "ceil": "ceil", "cos": "cos",
    "div": "divide", "eq": "equal", "erf": "erf", "exp": "exp", "expm1": "expm1", "floor": "floor",
    "ge": "greater_equal", "gt": "greater", "is_finite": "is_finite", "le": "less_equal", "log": "log",
    "log1p": "log1p", "logistic": "sigmoid", "lt": "less", "max": "maximum", "min": "minimum",
    "mul": "multiply", "ne": "not_equal", "neg": "negative", "pow": "power", "round": "round",
    "rsqrt": "rsqrt", "sign": "sign", "sin": "sin", "sqrt": "sqrt", "square": "square", "sub": "subtract",
    "tanh": "tanh",
}  # fmt: skip
_LOGICAL = {"and": "logical_and", "or": "logical_or", "not": "logical_not", "xor": "not_equal"}
_PASSING = (
    "convert_element_type", "copy", "copy_p", "name", "optimization_barrier", "reduce_precision",
    "sharding_constraint", "stop_gradient",
)  # fmt: skip


def elementwise(
    graph: Builder, function: str, operands: Sequence[Value], aval: Any, arguments: tuple[float, ...] = ()
) -> Value:
    """Add an elementwise function of values that broadcast against each other.

    Args:
        graph: The graph in the making.
        function: Its name.
        operands: The values; known ones that are one number become scalars.
        aval: Shape and dtype of the result.
        arguments: Numbers that make the function what it is.
    """
    shape = tuple(aval.shape)
    numbers = [operand.number() if isinstance(operand, Known) else None for operand in operands]
    if (same := _unchanged(function, operands, numbers, shape)) is not None:
        return same
    read = [fitting(graph, v, shape) for v, n in zip(operands, numbers, strict=True) if n is None]
    if read and np.broadcast_shapes(*(v.shape for v in read)) != shape:
        read[0] = graph.add("broadcast", (read[0],), shape, read[0].dtype, axes=_trailing(read[0], shape))
    more: dict[str, Any] = {"arguments": arguments} if arguments else {}
    if len(operands) > 1 and any(number is not None for number in numbers):
        more["scalars"] = tuple(numbers)
    return graph.add("elementwise", read, shape, aval.dtype, function=function, **more)


def fitting(graph: Builder, value: Value, shape: Shape) -> Made:
    """Return a value that broadcasts to a shape, as small as it is."""
    if isinstance(value, Spread):
        axes, rank = value.axes, len(value.shape)
        if axes == tuple(range(rank - len(axes), rank)):
            return value.of
        sizes = [1] * rank
        for axis, size in zip(axes, value.of.shape, strict=True):
            sizes[axis] = size
        return graph.add("reshape", (value.of,), tuple(sizes), value.dtype)
    if isinstance(value, Known):
        return graph.constant(graph.once("smallest", value, _smallest))
    return graph.made(value)


def _smallest(array: np.ndarray) -> np.ndarray:
    """Return an array without the repetitions along its axes."""
    for axis in range(array.ndim):
        first = array[(slice(None),) * axis + (slice(1),)]
        if array.shape[axis] > 1 and (array.strides[axis] == 0 or bool((array == first).all())):
            array = first
    return array


def _trailing(value: Made, shape: Shape) -> tuple[int, ...]:
    return tuple(range(len(shape) - len(value.shape), len(shape)))


def _unchanged(
    function: str, operands: Sequence[Value], numbers: Sequence[Any], shape: Shape
) -> Value | None:
    """Return the operand that the others leave as it is, if there is one."""
    if len(operands) != 2:
        return None
    (left, right), (low, high) = operands, numbers
    neutral = {"add": 0, "subtract": 0, "multiply": 1, "divide": 1, "power": 1}.get(function)
    neutral = {"maximum": -math.inf, "minimum": math.inf}.get(function, neutral)
    if neutral is None:
        return None
    if high is not None and high == neutral and left.shape == shape:
        return left
    commutes = function in ("add", "multiply", "maximum", "minimum")
    return right if commutes and low is not None and low == neutral and right.shape == shape else None


def _function(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value | None:
    if masked := _dropped(graph, equation, inputs):
        return masked
    for value, number in (inputs, reversed(inputs)) if equation.primitive.name == "ne" else ():
        if np.dtype(value.dtype).kind == "b" and isinstance(number, Known) and number.number() == 0:
            return value  # a mask that was a number for a while
    return elementwise(graph, _FUNCTIONS[equation.primitive.name], inputs, equation.outvars[0].aval)


for _name in _FUNCTIONS:
    converts(_name)(_function)


def _dropped(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value | None:
    """Return the product of a value and a random mask, as dropout keeps the mean, times what differs."""
    masks = [value for value in inputs if isinstance(value, Drawn)]
    others = [value for value in inputs if not isinstance(value, Drawn)]
    if equation.primitive.name != "mul" or len(masks) != 1 or len(others) != 1 or not masks[0].keep:
        return None
    return dropout(graph, others[0], masks[0], equation.outvars[0].aval)


def dropout(graph: Builder, value: Value, mask: Drawn, aval: Any) -> Value:
    """Add dropout of a value whose kept elements are multiplied by a number.

    Args:
        graph: The graph in the making.
        value: The value.
        mask: What it is multiplied with; dropout itself divides what is kept by the chance of that.
        aval: Shape and dtype of the result.
    """
    keep, on, shape = mask.keep or 1.0, mask.on, tuple(aval.shape)
    wide = (1,) * (len(shape) - len(mask.shape)) + mask.shape
    places = {axis + len(shape) - len(mask.shape) for axis in mask.shared}
    shared = tuple(n for n, size in enumerate(shape) if size != 1 and (wide[n] == 1 or n in places))
    made = graph.made(value)
    node = graph.nodes[made.node]
    scalars = node.get("scalars", ())
    if node.get("function") == "divide" and len(scalars) == 2 and scalars[1] and len(node.inputs) == 1:
        before = graph.nodes[node.inputs[0]]  # x / keep, masked
        made, on = Made(before.name, before.shape, np.dtype(before.dtype)), on / scalars[1]
    if made.shape != tuple(aval.shape):
        made = graph.add(
            "broadcast", (made,), tuple(aval.shape), made.dtype, axes=_trailing(made, aval.shape)
        )
    told: dict[str, Any] = {"shared": shared} if shared else {}
    kept = graph.add("dropout", (made,), made.shape, made.dtype, rate=round(1.0 - keep, 7), told=told)
    if math.isclose(on * keep, 1.0, rel_tol=1e-5):
        return kept
    return elementwise(graph, "multiply", (kept, Known(np.asarray(on * keep, np.float32))), aval)


@converts(*_PASSING)
def _same(graph: Builder, equation: Any, inputs: Sequence[Value]) -> list[Value] | None:
    if equation.primitive.name == "convert_element_type":
        old, new = np.dtype(inputs[0].dtype), np.dtype(equation.outvars[0].aval.dtype)
        if new.kind == "b" != old.kind:
            number = Known(np.zeros((), old))
            return [elementwise(graph, "not_equal", (inputs[0], number), equation.outvars[0].aval)]
        if old.kind in "fV" and new.kind in "iu":
            return None
    return list(inputs)


@converts("and", "or", "not", "xor")
def _logical(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value | None:
    aval = equation.outvars[0].aval
    if aval.dtype != bool:
        return None
    name = equation.primitive.name
    for known, other in zip(inputs, reversed(inputs), strict=True):
        number = known.number() if isinstance(known, Known) and len(inputs) == 2 else None
        if number is (name == "and") and name in ("and", "or") and other.shape == tuple(aval.shape):
            return other
    return elementwise(graph, _LOGICAL[name], inputs, aval)


@converts("select_n")
def _select(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value | None:
    which, *cases = inputs
    aval = equation.outvars[0].aval
    if len(cases) != 2:
        return None
    no, yes = cases
    if isinstance(which, Drawn):
        nothing = isinstance(no, Known) and no.number() == 0
        return dropout(graph, yes, which, aval) if which.keep and nothing else None
    if isinstance(which, Known):
        chosen = which.number()
        if chosen is not None and cases[int(chosen)].shape == tuple(aval.shape):
            return cases[int(chosen)]
        passing = graph.once("passing", which, _passing)
        if chosen is None and passing.shape:
            return elementwise(graph, "where", (passing, no, yes), aval)
    return elementwise(graph, "where", (which, yes, no), aval)


def _passing(array: np.ndarray) -> np.ndarray:
    """Return a causal mask that is True where values pass, of one that is True where they do not; else 0."""
    flipped = ~array
    return flipped if is_causal(flipped) else np.zeros(())


@converts("clamp")
def _clamp(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    low, x, high = inputs
    aval = equation.outvars[0].aval
    ends = [end.number() if isinstance(end, Known) else None for end in (low, high)]
    if None not in ends:
        return elementwise(graph, "clip", (x,), aval, (float(ends[0] or 0), float(ends[1] or 0)))
    return elementwise(graph, "minimum", (elementwise(graph, "maximum", (x, low), aval), high), aval)


@converts("integer_pow")
def _integer_power(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    exponent, aval = equation.params["y"], equation.outvars[0].aval
    if exponent == 2:
        return elementwise(graph, "square", inputs, aval)
    if exponent == -1:
        return elementwise(graph, "reciprocal", inputs, aval)
    return elementwise(graph, "integer_power", inputs, aval, (exponent,))


@converts("erfc", "exp2", "tan", "sinh", "cosh")
def _by_others(graph: Builder, equation: Any, inputs: Sequence[Value]) -> Value:
    """Put a function by those that have a name."""
    aval, x = equation.outvars[0].aval, inputs[0]

    def number(value: float) -> Known:
        return Known(np.asarray(value, aval.dtype))

    def make(function: str, *operands: Value) -> Value:
        return elementwise(graph, function, operands, aval)

    name = equation.primitive.name
    if name == "erfc":
        return make("subtract", number(1), make("erf", x))
    if name == "exp2":
        return make("exp", make("multiply", x, number(math.log(2))))
    if name == "tan":
        return make("divide", make("sin", x), make("cos", x))
    up, down = make("exp", x), make("exp", make("negative", x))
    return make("multiply", make("add" if name == "cosh" else "subtract", up, down), number(0.5))
