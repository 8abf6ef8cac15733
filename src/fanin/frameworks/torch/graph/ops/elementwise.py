"""Functions of each element."""

from __future__ import annotations

import math

from fanin.frameworks.torch.graph.call import CONVERTERS, Call, Converter, Result, converts
from fanin.frameworks.torch.graph.values import Operand, Value, number_of

_SAME = (
    "abs", "ceil", "cos", "erf", "exp", "expm1", "floor", "log", "log1p", "log_sigmoid", "logical_not",
    "mish", "negative", "reciprocal", "relu", "relu6", "round", "rsqrt", "selu", "sigmoid", "sign",
    "silu", "sin", "sqrt", "square", "tanh",
)  # fmt: skip
_RENAMED = {
    "atan": "arctan",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_swish",
    "isfinite": "is_finite",
    "neg": "negative",
    "sgn": "sign",
    "special_erf": "erf",
    "special_expit": "sigmoid",
    "special_expm1": "expm1",
}
_PLAIN = {name: name for name in _SAME} | _RENAMED
_PAIRS = {
    "maximum": "maximum", "minimum": "minimum", "lt": "less", "less": "less", "le": "less_equal",
    "less_equal": "less_equal", "gt": "greater", "greater": "greater", "ge": "greater_equal",
    "greater_equal": "greater_equal", "eq": "equal", "ne": "not_equal", "not_equal": "not_equal",
    "logical_and": "logical_and", "logical_or": "logical_or", "float_power": "power",
}  # fmt: skip
_POWERS = {-1.0: "reciprocal", -0.5: "rsqrt", 0.5: "sqrt", 2.0: "square"}


def _plain(function: str) -> Converter:
    return lambda call: call.graph.elementwise(function, call.x, dtype=call.dtype)


def _pair(function: str) -> Converter:
    def convert(call: Call) -> Result:
        first, second = list(call.arguments.values())[:2]
        return call.graph.elementwise(function, first, second, dtype=call.dtype)

    return convert


CONVERTERS.update({f"aten.{target}": _plain(function) for target, function in _PLAIN.items()})
CONVERTERS.update({f"aten.{target}": _pair(function) for target, function in _PAIRS.items()})


@converts("mul", "multiply")
def _multiply(call: Call) -> Result:
    first, second = call["self"], call["other"]
    for x, noise in ((first, second), (second, first)):
        if isinstance(noise, Value) and noise.keep is not None and isinstance(x, Value):
            return _dropped_paths(call, x, noise)
    return call.graph.elementwise("multiply", first, second, dtype=call.dtype)


def _dropped_paths(call: Call, x: Value, noise: Value) -> Result:
    """Return a value that is kept, or not, as a whole; dropout divides what it keeps by their share."""
    keep = noise.keep or 1.0
    shared = _shared(noise, call.shape)
    dropped = call.graph.emit("dropout", [x], call.shape, rate=1 - keep, shared=shared)
    scale = noise.noise * keep
    return dropped if math.isclose(scale, 1) else call.graph.elementwise("multiply", dropped, scale)


def _shared(noise: Value, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes along which all values are dropped together."""
    own = (1,) * (len(shape) - noise.ndim) + noise.shape
    return tuple(axis for axis, (n, m) in enumerate(zip(own, shape, strict=True)) if n == 1 and m != 1)


@converts("add", "sub", "subtract", "rsub")
def _add(call: Call) -> Result:
    first, second, alpha = call["self"], call["other"], call.get("alpha", 1)
    function = "add" if call.target == "aten.add" else "subtract"
    if call.target == "aten.rsub":
        first, second = second, first
    return call.graph.elementwise(function, first, _times(call, second, alpha), dtype=call.dtype)


def _times(call: Call, x: Operand, factor: float) -> Operand:
    if factor == 1:
        return x
    number = number_of(x)
    return number * factor if number is not None else call.graph.elementwise("multiply", x, factor)


@converts("div", "divide", "true_divide", "floor_divide")
def _divide(call: Call) -> Result:
    first, second = call["self"], call["other"]
    mode = "floor" if call.target == "aten.floor_divide" else call.get("rounding_mode")
    if mode not in (None, "floor"):
        return call.opaque(f"rounding_mode {mode}")
    number = number_of(second)
    if isinstance(first, Value) and first.keep is not None and number:
        return Value(first.shape, first.dtype, first.node, keep=first.keep, noise=first.noise / number)
    quotient = call.graph.elementwise("divide", first, second, dtype=call.dtype)
    return call.graph.elementwise("floor", quotient, dtype=call.dtype) if mode else quotient


@converts("pow")
def _power(call: Call) -> Result:
    base, exponent = call["self"], call["exponent"]
    number = number_of(exponent)
    if not isinstance(base, Value) or number is None:
        return call.graph.elementwise("power", base, exponent, dtype=call.dtype)
    if number == 1:
        return base
    if float(number) in _POWERS:
        return call.graph.elementwise(_POWERS[float(number)], base, dtype=call.dtype)
    if number == int(number):
        return call.graph.elementwise("integer_power", base, arguments=(int(number),), dtype=call.dtype)
    return call.graph.elementwise("power", base, number, dtype=call.dtype)


@converts("log2", "log10")
def _logarithm(call: Call) -> Result:
    base = 2 if call.target == "aten.log2" else 10
    natural = call.graph.elementwise("log", call.x, dtype=call.dtype)
    return call.graph.elementwise("multiply", natural, 1 / math.log(base))


@converts("exp2")
def _exp2(call: Call) -> Result:
    return call.graph.elementwise("power", 2.0, call.x, dtype=call.dtype)


@converts("gelu")
def _gelu(call: Call) -> Result:
    return call.graph.elementwise("gelu_tanh" if call["approximate"] == "tanh" else "gelu", call.x)


@converts("leaky_relu")
def _leaky_relu(call: Call) -> Result:
    return call.graph.elementwise("leaky_relu", call.x, arguments=(float(call["negative_slope"]),))


@converts("rrelu")
def _randomized_relu(call: Call) -> Result:
    if call["training"]:
        return call.opaque("in training")
    slope = (call["lower"] + call["upper"]) / 2
    return call.graph.elementwise("leaky_relu", call.x, arguments=(slope,))


@converts("elu", "celu")
def _elu(call: Call) -> Result:
    name = call.target.removeprefix("aten.")
    if call.get("scale", 1) != 1 or call.get("input_scale", 1) != 1:
        return call.opaque("scaled")
    return call.graph.elementwise(name, call.x, arguments=(float(call["alpha"]),))


@converts("hardtanh")
def _hard_tanh(call: Call) -> Result:
    ends = float(call["min_val"]), float(call["max_val"])
    return call.graph.elementwise("hard_tanh", call.x, arguments=ends)


@converts("softplus")
def _softplus(call: Call) -> Result:
    return call.graph.elementwise("softplus", call.x, arguments=(float(call["beta"]),))


@converts("softshrink", "hardshrink")
def _shrink(call: Call) -> Result:
    name = call.target.removeprefix("aten.").replace("shrink", "_shrink")
    return call.graph.elementwise(name, call.x, arguments=(float(call["lambd"]),))


@converts("prelu")
def _prelu(call: Call) -> Result:
    x, slope = call["self"], call["weight"]
    if slope.size > 1 and x.ndim > 1:
        slope = call.graph.reshape(slope, (slope.size, *(1,) * (x.ndim - 2)))
    below = call.graph.elementwise("multiply", x, slope)
    return call.graph.elementwise("where", call.graph.elementwise("greater", x, 0, dtype="bool"), x, below)


@converts("threshold")
def _threshold(call: Call) -> Result:
    above = call.graph.elementwise("greater", call.x, call["threshold"], dtype="bool")
    return call.graph.elementwise("where", above, call.x, call["value"])


@converts("clamp", "clip", "clamp_min", "clamp_max")
def _clip(call: Call) -> Result:
    x, low, high = call["self"], call.get("min"), call.get("max")
    if low is not None and high is not None and not isinstance(low, Value) and not isinstance(high, Value):
        return call.graph.elementwise("clip", x, arguments=(low, high), dtype=call.dtype)
    if low is not None:
        x = call.graph.elementwise("maximum", x, low, dtype=call.dtype)
    return x if high is None else call.graph.elementwise("minimum", x, high, dtype=call.dtype)


@converts("where")
def _where(call: Call) -> Result:
    if "self" not in call.arguments:
        return call.opaque("indices")
    return call.graph.elementwise("where", call["condition"], call["self"], call["other"], dtype=call.dtype)


@converts("masked_fill")
def _masked_fill(call: Call) -> Result:
    return call.graph.elementwise("where", call["mask"], call["value"], call["self"], dtype=call.dtype)


@converts("bitwise_and", "bitwise_or", "bitwise_not", "__and__", "__or__")
def _logic(call: Call) -> Result:
    if call.dtype != "bool":
        return call.opaque("of bits")
    function = f"logical_{call.target.strip('_').rpartition('_')[2].removeprefix('aten.').strip('_')}"
    return call.graph.elementwise(function, *list(call.arguments.values())[:2], dtype="bool")


@converts("addcmul", "addcdiv")
def _add_product(call: Call) -> Result:
    function = "multiply" if call.target == "aten.addcmul" else "divide"
    product = call.graph.elementwise(function, call["tensor1"], call["tensor2"])
    return call.graph.elementwise("add", call["self"], _times(call, product, call["value"]), dtype=call.dtype)


@converts("lerp")
def _interpolate(call: Call) -> Result:
    f = call.graph.elementwise
    return f("add", call["self"], f("multiply", f("subtract", call["end"], call["self"]), call["weight"]))


@converts("glu")
def _gated(call: Call) -> Result:
    x, axis = call.x, call.x.axis(call["dim"])
    half = x.shape[axis] // 2
    values = call.graph.slice(x, axis, 0, half)
    gate = call.graph.elementwise("sigmoid", call.graph.slice(x, axis, half, 2 * half))
    return call.graph.elementwise("multiply", values, gate)
