"""Normalizations, and norms of vectors."""

from __future__ import annotations

import math

import torch

from fanin.frameworks.torch.graph.call import Call, Result, converts
from fanin.frameworks.torch.graph.values import Value
from fanin.graph.signal import Attribute


def _norm(call: Call, kind: str, slots: dict[str, Value | None], **attributes: Attribute) -> Value:
    given = {slot: value for slot, value in slots.items() if value is not None}
    inputs = [call.x, *given.values()]
    how: dict[str, Attribute] = {"kind": kind, "slots": tuple(given), **attributes}
    return call.graph.add("norm", inputs, call.x.shape, call.x.dtype, how)


@converts("layer_norm", "rms_norm")
def _over_last_axes(call: Call) -> Result:
    x, over = call.x, len(call["normalized_shape"])
    axes = tuple(range(x.ndim - over, x.ndim))
    slots = {"scale": call.get("weight"), "offset": call.get("bias")}
    eps = call.get("eps", torch.finfo(getattr(torch, x.dtype)).eps)
    kind = call.target.removeprefix("aten.").removesuffix("_norm")
    return _norm(call, kind, slots, axes=axes, channel=x.ndim - 1, eps=eps)


@converts("group_norm")
def _group_norm(call: Call) -> Result:
    x, slots = call.x, {"scale": call.get("weight"), "offset": call.get("bias")}
    axes = tuple(range(1, x.ndim))
    return _norm(call, "group", slots, axes=axes, channel=1, groups=call["num_groups"], eps=call["eps"])


@converts("batch_norm")
def _batch_norm(call: Call) -> Result:
    train = bool(call["training"])
    axes = (0, *range(2, call.x.ndim))
    return _norm(call, "batch", _slots(call, train), axes=axes, channel=1, eps=call["eps"], train=train)


@converts("instance_norm")
def _instance_norm(call: Call) -> Result:
    train = bool(call["use_input_stats"])
    if not train:  # kept statistics are a batch norm's
        axes = (0, *range(2, call.x.ndim))
        return _norm(call, "batch", _slots(call, train), axes=axes, channel=1, eps=call["eps"], train=False)
    axes = tuple(range(2, call.x.ndim))
    return _norm(call, "instance", _slots(call, train), axes=axes, channel=1, eps=call["eps"], train=True)


def _slots(call: Call, train: bool) -> dict[str, Value | None]:
    slots = {"scale": call.get("weight"), "offset": call.get("bias")}
    kept = {} if train else {"mean": call.get("running_mean"), "variance": call.get("running_var")}
    return slots | kept


@converts("linalg_vector_norm", "norm", "linalg_norm", "frobenius_norm")
def _vector_norm(call: Call) -> Result:
    order = call.get("ord", call.get("p", 2))
    matrix = call.target == "aten.linalg_norm" and call.get("ord") is not None
    if order not in (1, 2, math.inf, "fro") or matrix:
        return call.opaque(f"of order {order}")
    dims = call.get("dim", ())
    axes = [dims] if isinstance(dims, int) else list(dims)
    return _length(call, call.x, order, axes, bool(call.get("keepdim", False)))


def _length(call: Call, x: Value, order: object, axes: list[int], keep: bool) -> Value:
    if order in (1, math.inf):
        function = "sum" if order == 1 else "max"
        return call.graph.reduce(function, call.graph.elementwise("abs", x), axes, keep=keep)
    squares = call.graph.reduce("sum", call.graph.elementwise("square", x), axes, keep=keep)
    return call.graph.elementwise("sqrt", squares)


@converts("_weight_norm", "_weight_norm_interface")
def _weight_norm(call: Call) -> Result:
    direction, length, dim = call["v"], call["g"], call.get("dim", 0)
    axes = [axis for axis in range(direction.ndim) if axis != direction.axis(dim)]
    norm = _length(call, direction, 2, axes, keep=True)
    kernel = call.graph.elementwise("multiply", direction, call.graph.elementwise("divide", length, norm))
    return kernel if len(call.results) == 1 else (kernel, norm)
