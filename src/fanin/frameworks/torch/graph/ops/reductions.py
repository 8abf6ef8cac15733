"""Pools, statistics over axes, softmax and losses."""

from __future__ import annotations

import math

from fanin.frameworks.torch.graph.call import Call, Result, converts
from fanin.frameworks.torch.graph.ops.convolutions import spread
from fanin.frameworks.torch.graph.ops.resizing import averaged_to
from fanin.frameworks.torch.graph.values import Value
from fanin.graph.signal import Attribute


@converts(
    "max_pool1d", "max_pool2d", "max_pool3d", "max_pool1d_with_indices", "max_pool2d_with_indices",
    "max_pool3d_with_indices",
)  # fmt: skip
def _max_pool(call: Call) -> Result:
    spatial = int(call.target[len("aten.max_pool")])
    pooled = _pool(call, "max", spatial, spread(call["dilation"], spatial), True)
    assert pooled is not None
    return (pooled, *_unknown(call)) if len(call.results) > 1 else pooled


def _unknown(call: Call) -> tuple[Value, ...]:
    """Return what nothing more is known of: the places of what was found."""
    return tuple(
        call.graph.emit("opaque", [call.x], shape, dtype, operator=f"{call.target} (indices)")
        for shape, dtype in call.results[1:]
    )


@converts("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _average_pool(call: Call) -> Result:
    spatial = int(call.target[len("aten.avg_pool")])
    pooled = _pool(call, "average", spatial, (1,) * spatial, bool(call["count_include_pad"]))
    if pooled is None:
        return call.opaque("ceil_mode")
    divisor = call.get("divisor_override")
    if not divisor:
        return pooled
    window = math.prod(spread(call["kernel_size"], spatial))
    return call.graph.elementwise("multiply", pooled, window / divisor)


def _pool(call: Call, kind: str, spatial: int, dilation: tuple[int, ...], count_pad: bool) -> Value | None:
    """Return a pool, None for an average that goes over the end and counts padding."""
    x = call.x
    window = spread(call["kernel_size"], spatial)
    stride = spread(call.get("stride") or window, spatial)
    pads = spread(call["padding"], spatial)
    axes = tuple(range(x.ndim - spatial, x.ndim))
    padding = []
    for place, axis in enumerate(axes):
        reach = (call.shape[axis] - 1) * stride[place] + dilation[place] * (window[place] - 1) + 1
        after = max(reach - x.shape[axis] - pads[place], pads[place])
        padding.append((pads[place], after))
    if kind == "average" and count_pad and any(before != after for before, after in padding):
        return None
    how: dict[str, Attribute] = {"kind": kind, "axes": axes, "window": window, "stride": stride}
    how |= {"padding": tuple(padding), "dilation": dilation, "count_pad": count_pad}
    return call.graph.add("pool", [x], call.shape, x.dtype, how)


@converts(
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "adaptive_max_pool3d",
)  # fmt: skip
def _adaptive(call: Call) -> Result:
    x, spatial = call.x, int(call.target[-2])
    kind = "max" if "max" in call.target else "average"
    axes = tuple(range(x.ndim - spatial, x.ndim))
    pooled = _to_size(call, kind, axes)
    if pooled is None and kind == "average":
        pooled = x
        for axis in axes:
            pooled = averaged_to(call, pooled, axis, call.shape[axis])
    if pooled is None:
        return call.opaque("windows of several sizes")
    return (pooled, *_unknown(call)) if len(call.results) > 1 else pooled


def _to_size(call: Call, kind: str, axes: tuple[int, ...]) -> Value | None:
    x = call.x
    sizes = [(x.shape[axis], call.shape[axis]) for axis in axes]
    if all(new == 1 for _, new in sizes):
        return call.graph.reduce("max" if kind == "max" else "mean", x, axes, keep=True)
    if all(new == old for old, new in sizes):
        return x
    if any(old % new for old, new in sizes):
        return None
    window, none = tuple(old // new for old, new in sizes), ((0, 0),) * len(axes)
    how: dict[str, Attribute] = {"kind": kind, "axes": axes, "window": window, "stride": window}
    how |= {"padding": none, "dilation": (1,) * len(axes), "count_pad": True}
    return call.graph.add("pool", [x], call.shape, x.dtype, how)


def _axes(call: Call) -> list[int]:
    dims = call.get("dim", ())
    return [dims] if isinstance(dims, int) else list(dims)


@converts("mean", "sum", "amax", "amin", "max", "min")
def _statistic(call: Call) -> Result:
    if isinstance(call.get("other"), Value):
        return call.graph.elementwise(f"{call.target.removeprefix('aten.')}imum", call.x, call["other"])
    function = call.target.removeprefix("aten.a").removeprefix("aten.")
    made = call.graph.reduce(function, call.x, _axes(call), keep=bool(call.get("keepdim", False)))
    return (made, *_unknown(call)) if len(call.results) > 1 else made


@converts("var", "std", "var_mean", "std_mean")
def _variance(call: Call) -> Result:
    x, axes, keep = call.x, _axes(call), bool(call.get("keepdim", False))
    correction = call.get("correction", 1 if call.get("unbiased", True) else 0)
    count = math.prod(x.shape[axis] for axis in axes) if axes else x.size
    variance = call.graph.reduce("variance", x, axes, keep=keep)
    if correction:
        variance = call.graph.elementwise("multiply", variance, count / max(count - correction, 1))
    spread_ = call.graph.elementwise("sqrt", variance) if "std" in call.target else variance
    return (spread_, call.graph.reduce("mean", x, axes, keep=keep)) if "mean" in call.target else spread_


@converts("logsumexp")
def _logsumexp(call: Call) -> Result:
    summed = call.graph.reduce(
        "sum", call.graph.elementwise("exp", call.x), _axes(call), keep=bool(call["keepdim"])
    )
    return call.graph.elementwise("log", summed)


@converts("softmax", "_softmax", "log_softmax", "_log_softmax")
def _softmax(call: Call) -> Result:
    x = call.x
    return call.graph.emit(
        "softmax", [x], x.shape, call.dtype, axis=x.axis(call["dim"]), log="log" in call.target
    )


@converts("cross_entropy_loss", "mse_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")
def _loss(call: Call) -> Result:
    predictions, targets = list(call.arguments.values())[:2]
    if call.get("weight") is not None or call.get("pos_weight") is not None or call.get("label_smoothing", 0):
        return call.opaque("weighted")
    reduction = ("none", "mean", "sum")[call.get("reduction", 1)]
    kinds = {"aten.cross_entropy_loss": "cross_entropy", "aten.mse_loss": "mse"}
    attributes: dict[str, Attribute] = {
        "kind": kinds.get(call.target, "binary_cross_entropy"),
        "reduction": reduction,
    }
    if call.target == "aten.cross_entropy_loss":
        attributes["axis"] = 1 if predictions.ndim > 1 else 0
        attributes["ignored"] = call.get("ignore_index", -100)
    elif call.target != "aten.mse_loss":
        attributes["logits"] = call.target.endswith("logits")
    return call.graph.add("loss", [predictions, targets], call.shape, call.dtype, attributes)
