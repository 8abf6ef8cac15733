r"""What is made of weights and constants alone, as tables of places and standardized kernels are.

Its values are taken for independent draws of one distribution:

    y = sum of n terms w x:  E[y] = n E[w] E[x],  Var(y) = n (E[w^2] E[x^2] - E[w]^2 E[x]^2)
    y = (w - mean) / deviation:  E[y] = 0,  Var(y) = Var(w) / (Var(w) + eps)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from fanin.graph.axes import letters
from fanin.graph.signal import Law, Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.signal import Fixed, Kernel, Unknown, Value


def of_weights(node: Node, inputs: list[Value], context: Context) -> Value | None:
    """Return what a node makes of weights and constants; None where it reads more than these."""
    made = _MADE.get(node.op)
    if made is None or not inputs or not all(isinstance(value, Kernel | Fixed) for value in inputs):
        return None
    laws = [_law(value) for value in inputs]
    known = [law for law in laws if law is not None]
    if len(known) < len(laws):
        names = [value.weight for value in inputs if isinstance(value, Kernel) and value.law is None]
        return Unknown(f"{node.name}: nobody knows what {names[0] or 'it reads'} is distributed by")
    if not any(isinstance(value, Kernel) for value in inputs):
        return None
    return made(node, inputs, known, context)


def _law(value: Value) -> Law | None:
    if isinstance(value, Fixed):
        return Law(value.mean, max(value.second - value.mean**2, 0.0))
    return value.law if isinstance(value, Kernel) else None


def _product(node: Node, inputs: list[Value], laws: list[Law], context: Context) -> Value:
    (of_x, _), of_y = letters(node["equation"])
    shape = context.graph[node.inputs[0]].shape
    terms = math.prod(size for letter, size in zip(of_x, shape, strict=True) if letter not in of_y)
    return Kernel(_sum(terms, laws), node.shape)


def _convolution(node: Node, inputs: list[Value], laws: list[Law], context: Context) -> Value:
    kernel = context.graph[node.inputs[1]].shape
    axes = node["kernel_axes"]
    channels = context.graph[node.inputs[0]].shape[node["x_axes"][1]]
    taps = math.prod(kernel[axis] for axis in axes[2:])
    return Kernel(_sum(channels // node["groups"] * taps, laws), node.shape)


def _sum(terms: int, laws: list[Law]) -> Law:
    """Return the law of a sum of products, with a bias if there is one."""
    x, kernel, *rest = laws
    mean = terms * x.mean * kernel.mean + sum(law.mean for law in rest)
    each = x.second_moment * kernel.second_moment - (x.mean * kernel.mean) ** 2
    return Law(mean, terms * each + sum(law.variance for law in rest), "sum of products")


def _norm(node: Node, inputs: list[Value], laws: list[Law], context: Context) -> Value:
    x, slots = laws[0], dict(zip(node.get("slots", ()), laws[1:], strict=False))
    spread = x.second_moment if node["kind"] == "rms" else x.variance
    total = spread + node["eps"]
    scale, offset = slots.get("scale", Law(1.0, 0.0)), slots.get("offset", Law(0.0, 0.0))
    law = Law(offset.mean, scale.second_moment * spread / total + offset.variance, "normalized")
    value = inputs[0]
    assert isinstance(value, Kernel)
    # Few of many gradients go along with the mean or the values themselves.
    factor = value.factor * math.sqrt(scale.second_moment / total)
    return replace(value, law=law, factor=factor, parts=(), shape=node.shape)


def _pool(node: Node, inputs: list[Value], laws: list[Law], context: Context) -> Value:
    if node["kind"] != "average":
        return Unknown(f"{node.name}: the largest of weights")
    law = laws[0]
    return Kernel(Law(law.mean, law.variance / math.prod(node["window"]), "means"), node.shape)


_MADE: dict[str, Callable[[Node, list[Value], list[Law], Context], Value]] = {
    "convolution": _convolution,
    "linear": _product,
    "matmul": _product,
    "norm": _norm,
    "pool": _pool,
}
