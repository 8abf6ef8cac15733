"""A reference interpreter of signal graphs: what every op of docs/graph.md computes, put plainly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from fanin.graph.signal import Node, SignalGraph
from fanin.theory.names import named

_NUMPY = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "negative": np.negative,
    "power": np.power, "square": np.square, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x),
    "reciprocal": lambda x: 1 / x, "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "abs": np.abs, "sign": np.sign, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "sigmoid": special.expit,
    "erf": special.erf, "maximum": np.maximum, "minimum": np.minimum, "where": np.where, "less": np.less,
    "less_equal": np.less_equal, "greater": np.greater, "greater_equal": np.greater_equal, "equal": np.equal,
    "not_equal": np.not_equal, "logical_and": np.logical_and, "logical_or": np.logical_or,
    "logical_not": np.logical_not, "floor": np.floor, "ceil": np.ceil, "round": np.round,
    "is_finite": np.isfinite,
}  # fmt: skip
_ARGUED = {"clip": lambda x, low, high: np.clip(x, low, high), "integer_power": lambda x, n: x**n}


def interpret(graph: SignalGraph, weights: Mapping[str, Any], *inputs: Any) -> list[np.ndarray]:
    """Return the outputs of a graph with real weights and inputs."""
    values = run(graph, weights, *inputs)
    return [values[name] for name in graph.outputs]


def run(graph: SignalGraph, weights: Mapping[str, Any], *inputs: Any) -> dict[str, np.ndarray]:
    """Return the value of every node."""
    given = iter(inputs)
    values: dict[str, np.ndarray] = {}
    for node in graph:
        read = [values[name] for name in node.inputs]
        with np.errstate(all="ignore"):
            if node.op == "input":
                value = np.asarray(next(given))
            elif node.op == "parameter":
                value = np.asarray(weights[node["weight"]])
            elif node.op == "scan":
                value = _scan(node, read, weights)
            else:
                value = _RULES[node.op](node, *read)
        assert tuple(np.shape(value)) == node.shape, (node, np.shape(value))
        values[node.name] = _single(value)
    assert next(given, None) is None
    return values


def _single(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _constant(node: Node) -> Any:
    return np.asarray(node["value"], node.dtype)


def _elementwise(node: Node, *read: Any) -> Any:
    name = node["function"]
    waiting = iter(read)
    scalars = node.get("scalars") or (None,) * len(read)
    operands = [next(waiting) if scalar is None else scalar for scalar in scalars]
    if name in _ARGUED:
        return _ARGUED[name](*operands, *node.get("arguments", ()))
    if name in _NUMPY:
        return _NUMPY[name](*operands)
    inside = ", ".join(map(repr, node.get("arguments", ())))
    return named(f"{name}({inside})" if inside else name).value(np.asarray(operands[0], np.float64))


def _linear(node: Node, x: Any, kernel: Any, bias: Any = 0.0) -> Any:
    return np.einsum(node["equation"], x, kernel, optimize=True) + bias


def _convolution(node: Node, x: Any, kernel: Any, bias: Any = None) -> Any:
    if node.get("reversed"):
        kernel = np.flip(kernel, node["kernel_axes"][2:])
    y = jax.lax.conv_general_dilated(
        jnp.asarray(x),
        jnp.asarray(kernel),
        node["stride"],
        node["padding"],
        node["input_dilation"],
        node["dilation"],
        jax.lax.ConvDimensionNumbers(node["x_axes"], node["kernel_axes"], node["y_axes"]),
        node["groups"],
    )
    if bias is None:
        return np.asarray(y)
    return np.asarray(y) + _along(bias, node["y_axes"][1], y.ndim)


def _along(values: Any, axis: int, rank: int) -> np.ndarray:
    return np.reshape(values, [-1 if place == axis else 1 for place in range(rank)])


def _norm(node: Node, x: Any, *more: Any) -> Any:
    slots = dict(zip(node["slots"], more, strict=True))
    kind, axes, channel = node["kind"], tuple(node["axes"]), node["channel"]
    if kind == "group":
        return _scaled(_grouped(node, x), slots, (channel,))
    mean, variance = slots.get("mean"), slots.get("variance")
    if mean is None:
        mean = 0.0 if kind == "rms" else x.mean(axes, keepdims=True)
        variance = np.mean(np.square(x - mean), axes, keepdims=True)
    else:
        mean, variance = _along(mean, channel, x.ndim), _along(variance, channel, x.ndim)
    y = (x - mean) / np.sqrt(variance + node["eps"])
    return _scaled(y, slots, axes if kind in ("layer", "rms") else (channel,))


def _grouped(node: Node, x: Any) -> Any:
    channel, groups = node["channel"], node["groups"]
    split = x.reshape(*x.shape[:channel], groups, x.shape[channel] // groups, *x.shape[channel + 1 :])
    axes = tuple(axis for axis in range(1, split.ndim) if axis != channel)
    mean = split.mean(axes, keepdims=True)
    variance = np.mean(np.square(split - mean), axes, keepdims=True)
    return ((split - mean) / np.sqrt(variance + node["eps"])).reshape(x.shape)


def _scaled(y: Any, slots: Mapping[str, Any], axes: Sequence[int]) -> Any:
    shape = [size if axis in axes else 1 for axis, size in enumerate(y.shape)]

    def spread(values: Any) -> Any:
        return np.broadcast_to(values, [y.shape[axis] for axis in sorted(axes)]).reshape(shape)

    if "scale" in slots:
        y = y * spread(slots["scale"])
    return y + spread(slots["offset"]) if "offset" in slots else y


def _pool(node: Node, x: Any) -> Any:
    def along(name: str, rest: Any) -> list[Any]:
        found = dict(zip(node["axes"], node[name], strict=True))
        return [found.get(axis, rest) for axis in range(x.ndim)]

    where = [along("window", 1), along("stride", 1), along("padding", (0, 0))]
    dilation = along("dilation", 1)

    def window(values: Any, start: float, function: Callable[..., Any]) -> Any:
        return np.asarray(
            jax.lax.reduce_window(jnp.asarray(values), start, function, *where, window_dilation=dilation)
        )

    if node["kind"] == "max":
        return window(x, -np.inf, jax.lax.max)
    total = window(x, 0.0, jax.lax.add)
    count = np.prod(node["window"]) if node["count_pad"] else window(np.ones_like(x), 0.0, jax.lax.add)
    return total / count


def _reduce(node: Node, x: Any) -> Any:
    function = {"mean": np.mean, "sum": np.sum, "max": np.max, "min": np.min, "variance": np.var}
    return function[node["function"]](x, tuple(node["axes"]), keepdims=node["keep"])


def _softmax(node: Node, x: Any) -> Any:
    function = special.log_softmax if node["log"] else special.softmax
    return function(x, node["axis"])


def _attention(node: Node, query: Any, key: Any, value: Any, *masks: Any) -> Any:
    repeated = node["heads"] // node["key_heads"]
    key, value = np.repeat(key, repeated, -3), np.repeat(value, repeated, -3)
    scores = np.einsum("...qd,...kd->...qk", query, key) * node["scale"]
    if cap := node.get("cap"):
        scores = cap * np.tanh(scores / cap)
    for mask in masks:
        scores = np.where(mask, scores, -1e30) if mask.dtype == bool else scores + mask
    if node["causal"]:
        seen = np.tri(*scores.shape[-2:], dtype=bool)
        if window := node.get("window"):
            seen = seen & ~np.tri(*scores.shape[-2:], k=-window, dtype=bool)
        scores = np.where(seen, scores, -1e30)
    return np.einsum("...qk,...kd->...qd", special.softmax(scores, -1), value)


def _embedding(node: Node, ids: Any, table: Any) -> Any:
    rows = np.asarray(table)[ids]
    return rows if node["padding"] is None else np.where((ids == node["padding"])[..., None], 0, rows)


def _dropout(node: Node, x: Any) -> Any:
    assert node["rate"] == 0, "random"
    return x


def _slice(node: Node, x: Any) -> Any:
    part = x[(slice(None),) * node["axis"] + (slice(node["start"], node["stop"], node["step"]),)]
    return np.squeeze(part, node["axis"]) if node["drop"] else part


def _broadcast(node: Node, x: Any) -> Any:
    shape = [1] * len(node.shape)
    for axis, size in zip(node["axes"], np.shape(x), strict=True):
        shape[axis] = size
    return np.broadcast_to(np.reshape(x, shape), node.shape)


def _scan(node: Node, read: Sequence[Any], weights: Mapping[str, Any]) -> Any:
    count, length, body = node["carried"], node["length"], node.body
    assert body is not None
    carried, sequences = list(read[:count]), read[count:]
    steps: dict[int, list[Any]] = {}
    for step in reversed(range(length)) if node["reverse"] else range(length):
        results = interpret(body, weights, *carried, *(sequence[step] for sequence in sequences))
        carried, steps[step] = results[:count], results[count:]
    if node["output"] < count:
        return carried[node["output"]]
    return np.stack([steps[step][node["output"] - count] for step in range(length)])


def _loss(node: Node, predictions: Any, targets: Any) -> Any:
    over = {"mean": np.mean, "sum": np.sum}[node["reduction"]]
    if node["kind"] == "mse":
        return over(np.square(predictions - targets))
    if node["kind"] == "binary_cross_entropy":
        assert node["logits"]
        return over(np.logaddexp(0, predictions) - targets * predictions)
    axis, classes = node["axis"], np.shape(predictions)[node["axis"]]
    if np.ndim(targets) < np.ndim(predictions):  # labels
        targets = np.moveaxis(np.eye(classes)[targets], -1, axis)
    share = node.get("smoothing", 0.0)
    targets = (1 - share) * targets + share / classes
    return over(-np.sum(targets * special.log_softmax(predictions, axis), axis))


def _opaque(node: Node, *read: Any) -> Any:
    assert node["operator"] == "take_along_axis", f"{node['operator']} is not understood"
    value, ids = read
    places = np.expand_dims(ids, node["axis"])
    return np.take_along_axis(value, places, node["axis"]).reshape(node.shape)


_RULES: dict[str, Callable[..., Any]] = {
    "constant": _constant,
    "linear": _linear,
    "convolution": _convolution,
    "elementwise": _elementwise,
    "norm": _norm,
    "pool": _pool,
    "reduce": _reduce,
    "softmax": _softmax,
    "matmul": lambda node, x, y: np.einsum(node["equation"], x, y, optimize=True),
    "attention": _attention,
    "embedding": _embedding,
    "dropout": _dropout,
    "concat": lambda node, *x: np.concatenate(x, node["axis"]),
    "slice": _slice,
    "reshape": lambda node, x: np.reshape(x, node.shape),
    "permute": lambda node, x: np.transpose(x, node["axes"]),
    "broadcast": _broadcast,
    "pad": lambda node, x: np.pad(x, node["padding"], constant_values=node["value"]),
    "loss": _loss,
    "opaque": _opaque,
}
