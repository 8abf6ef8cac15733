"""What a signal graph computes, by PyTorch's own functions: the truth that a conversion is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional as f

from fanin.graph.signal import Node, SignalGraph

Tensors = list[torch.Tensor]


def interpret(graph: SignalGraph, model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Tensors:
    """Return what a graph computes from some inputs with a model's own weights."""
    values = _values(graph, model, inputs)
    return [values[name] for name in graph.outputs]


def interpret_layers(graph: SignalGraph, model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> dict:
    """Return what each module of a graph computes."""
    values = _values(graph, model, inputs)
    return {path: values[node] for path, node in graph.layers.items()}


@torch.no_grad()
def _values(graph: SignalGraph, model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> dict:
    tensors = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers())
    given, values = iter(inputs), {}
    for node in graph:
        if node.op == "input":
            values[node.name] = next(given)
        elif node.op == "parameter":
            values[node.name] = tensors[node["weight"]]
        else:
            values[node.name] = OPS[node.op](node, [values[name] for name in node.inputs])
        assert tuple(values[node.name].shape) == node.shape, node
    return values


def _constant(node: Node, _: Tensors) -> torch.Tensor:
    return torch.tensor(node["value"], dtype=getattr(torch, node.dtype)).reshape(node.shape)


def _linear(node: Node, x: Tensors) -> torch.Tensor:
    product = torch.einsum(node["equation"], x[0], x[1])
    return product + x[2] if len(x) > 2 else product


def _convolution(node: Node, x: Tensors) -> torch.Tensor:
    """Convolve by stretching the input, padding it, and taking kernels with taps in their order."""
    spatial = len(node["stride"])
    value = x[0].permute(node["x_axes"])
    value = _stretched(value, node["input_dilation"])
    value = _padded(value, [(0, 0), (0, 0), *node["padding"]])
    kernel = _kernel(node, x[1], value.shape[1])
    convolve: Any = (f.conv1d, f.conv2d, f.conv3d)[spatial - 1]
    bias = x[2] if len(x) > 2 else None
    made = convolve(value, kernel, bias, node["stride"], 0, node["dilation"], node["groups"])
    return made.permute([node["y_axes"].index(axis) for axis in range(made.ndim)])


def _kernel(node: Node, kernel: torch.Tensor, channels: int) -> torch.Tensor:
    kernel = kernel.permute(node["kernel_axes"])
    if node.get("reversed"):
        kernel = kernel.flip(tuple(range(2, kernel.ndim)))
    groups = node["groups"]
    if kernel.shape[1] == channels and groups > 1:  # inputs are packed: (out / groups, in)
        kernel = torch.cat(kernel.chunk(groups, 1))
    return kernel


def _stretched(x: torch.Tensor, factors: tuple[int, ...]) -> torch.Tensor:
    for axis, factor in enumerate(factors, start=2):
        shape = list(x.shape)
        shape[axis] = (shape[axis] - 1) * factor + 1
        wide = x.new_zeros(shape)
        wide[(slice(None),) * axis + (slice(None, None, factor),)] = x
        x = wide
    return x


def _padded(x: torch.Tensor, pairs: Any, value: float = 0.0) -> torch.Tensor:
    return f.pad(x, [n for pair in reversed(list(pairs)) for n in pair], value=value)


def _elementwise(node: Node, x: Tensors) -> torch.Tensor:
    given = iter(x)
    scalars = node.get("scalars", (None,) * len(x))
    operands = [next(given) if scalar is None else torch.tensor(scalar) for scalar in scalars]
    made = FUNCTIONS[node["function"]](*operands, *node.get("arguments", ()))
    return made.to(getattr(torch, node.dtype))


def _norm(node: Node, x: Tensors) -> torch.Tensor:
    slots = dict(zip(node["slots"], x[1:], strict=True))
    value, axes = x[0], node["axes"]
    if node["kind"] == "group":
        value = value.reshape(value.shape[0], node["groups"], -1)
        axes = (2,)
    if "mean" in slots:
        mean, variance = _along(slots["mean"], value, node), _along(slots["variance"], value, node)
    else:
        mean = value.mean(axes, keepdim=True) if node["kind"] != "rms" else torch.zeros(())
        variance = (value - mean).square().mean(axes, keepdim=True)
    y = ((value - mean) / torch.sqrt(variance + node["eps"])).reshape(node.shape)
    y = y * _along(slots["scale"], y, node) if "scale" in slots else y
    return y + _along(slots["offset"], y, node) if "offset" in slots else y


def _along(weight: torch.Tensor, x: torch.Tensor, node: Node) -> torch.Tensor:
    if node["kind"] in ("layer", "rms"):
        return weight
    return weight.reshape([-1 if axis == node["channel"] else 1 for axis in range(x.ndim)])


def _pool(node: Node, x: Tensors) -> torch.Tensor:
    maximum = node["kind"] == "max"
    pairs = [(0, 0)] * (x[0].ndim - len(node["axes"])) + list(node["padding"])
    value = _padded(x[0], pairs, -torch.inf if maximum else 0.0)
    counted = _padded(torch.ones_like(x[0]), pairs, 1.0 if node["count_pad"] else 0.0)
    for axis, size, stride, dilation in zip(
        node["axes"], node["window"], node["stride"], node["dilation"], strict=True
    ):
        reach = dilation * (size - 1) + 1
        value = value.unfold(axis, reach, stride)[..., ::dilation]
        counted = counted.unfold(axis, reach, stride)[..., ::dilation]
        value = value.max(-1).values if maximum else value.sum(-1)
        counted = counted.sum(-1)
    return value if maximum else value / counted


def _reduce(node: Node, x: Tensors) -> torch.Tensor:
    axes, keep = node["axes"], node["keep"]
    if node["function"] == "variance":
        return x[0].var(axes, correction=0, keepdim=keep)
    name = {"max": "amax", "min": "amin"}.get(node["function"], node["function"])
    return getattr(x[0], name)(axes, keepdim=keep)


def _softmax(node: Node, x: Tensors) -> torch.Tensor:
    return (torch.log_softmax if node["log"] else torch.softmax)(x[0], node["axis"])


def _attention(node: Node, x: Tensors) -> torch.Tensor:
    query, key, value = x[:3]
    copies = node["heads"] // node["key_heads"]
    key, value = key.repeat_interleave(copies, -3), value.repeat_interleave(copies, -3)
    scores = query @ key.transpose(-1, -2) * node["scale"]
    if cap := node.get("cap"):
        scores = cap * torch.tanh(scores / cap)
    for mask in x[3:]:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype is torch.bool else scores + mask
    if node["causal"]:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        if window := node.get("window"):
            seen = seen.triu(1 - window)
        scores = scores.masked_fill(~seen, -torch.inf)
    return scores.softmax(-1) @ value


def _slice(node: Node, x: Tensors) -> torch.Tensor:
    axis = node["axis"]
    places = torch.tensor(range(x[0].shape[axis])[node["start"] : node["stop"] : node["step"]])
    part = x[0].index_select(axis, places.long())
    return part.squeeze(axis) if node["drop"] else part


def _broadcast(node: Node, x: Tensors) -> torch.Tensor:
    shape = [1] * len(node.shape)
    for axis, place in enumerate(node["axes"]):
        shape[place] = x[0].shape[axis]
    return x[0].reshape(shape).expand(node.shape)


def _recurrent(node: Node, x: Tensors) -> torch.Tensor:
    value = x[0] if node["batch_first"] or x[0].ndim == 2 else x[0].transpose(0, 1)
    value = value if value.ndim == 3 else value[None]
    found, place = [], 1
    count = sum(len(names) for names in node["weights"])
    states = x[1 + count :]
    for direction, names in enumerate(node["weights"]):
        weights = dict(zip(names, x[place : place + len(names)], strict=True))
        place += len(names)
        start = [state[direction].reshape(len(value), -1) for state in states]
        steps = _steps(node, value.flip(1) if direction else value, weights, start)
        found.append(steps.flip(1) if direction else steps)
    out = torch.cat(found, -1)
    if x[0].ndim == 2:
        return out[0]
    return out if node["batch_first"] else out.transpose(0, 1)


def _steps(node: Node, x: torch.Tensor, weights: Mapping[str, torch.Tensor], start: Tensors) -> torch.Tensor:
    units = weights["recurrent"].shape[0] // {"lstm": 4, "gru": 3, "rnn": 1}[node["kind"]]
    narrow = weights["projection"].shape[0] if "projection" in weights else units
    hidden = start[0] if start else x.new_zeros(len(x), narrow)
    cell = start[1] if len(start) > 1 else x.new_zeros(len(x), units)
    outputs, cells = [], []
    for t in range(x.shape[1]):
        a = f.linear(x[:, t], weights["kernel"], weights.get("bias"))
        b = f.linear(hidden, weights["recurrent"], weights.get("recurrent_bias"))
        if node["kind"] == "rnn":
            hidden = getattr(torch, node["nonlinearity"])(a + b)
        elif node["kind"] == "gru":
            (r, z, n), (r_h, z_h, n_h) = a.chunk(3, -1), b.chunk(3, -1)
            new = torch.tanh(n + torch.sigmoid(r + r_h) * n_h)
            keep = torch.sigmoid(z + z_h)
            hidden = (1 - keep) * new + keep * hidden
        else:
            i, g, c, o = (a + b).chunk(4, -1)
            cell = torch.sigmoid(g) * cell + torch.sigmoid(i) * torch.tanh(c)
            hidden = torch.sigmoid(o) * torch.tanh(cell)
            hidden = f.linear(hidden, weights["projection"]) if "projection" in weights else hidden
        outputs.append(hidden)
        cells.append(cell)
    return torch.stack(cells if node.get("returns") == "cell" else outputs, 1)


def _loss(node: Node, x: Tensors) -> torch.Tensor:
    reduction: Any = node["reduction"]
    if node["kind"] == "cross_entropy":
        return f.cross_entropy(x[0], x[1], reduction=reduction)
    if node["kind"] == "mse":
        return f.mse_loss(x[0], x[1], reduction=reduction)
    binary = f.binary_cross_entropy_with_logits if node["logits"] else f.binary_cross_entropy
    return binary(x[0], x[1], reduction=reduction)


def _dropout(node: Node, x: Tensors) -> torch.Tensor:
    assert node["rate"] == 0
    return x[0]


def _opaque(node: Node, _: Tensors) -> torch.Tensor:
    raise AssertionError(f"{node['operator']} is not understood")


OPS: dict[str, Callable[[Node, Tensors], torch.Tensor]] = {
    "constant": _constant,
    "linear": _linear,
    "matmul": _linear,
    "convolution": _convolution,
    "elementwise": _elementwise,
    "norm": _norm,
    "pool": _pool,
    "reduce": _reduce,
    "softmax": _softmax,
    "attention": _attention,
    "embedding": lambda node, x: x[1][x[0]],
    "dropout": _dropout,
    "concat": lambda node, x: torch.cat(x, node["axis"]),
    "slice": _slice,
    "reshape": lambda node, x: x[0].reshape(node.shape),
    "permute": lambda node, x: x[0].permute(node["axes"]),
    "broadcast": _broadcast,
    "pad": lambda node, x: _padded(x[0], node["padding"], node["value"]),
    "recurrent": _recurrent,
    "loss": _loss,
    "opaque": _opaque,
}

FUNCTIONS: dict[str, Callable[..., torch.Tensor]] = {
    "add": torch.add,
    "arctan": torch.atan,
    "clip": torch.clamp,
    "divide": torch.true_divide,
    "elu": f.elu,
    "celu": f.celu,
    "gelu": f.gelu,
    "gelu_tanh": lambda x: f.gelu(x, approximate="tanh"),
    "hard_shrink": f.hardshrink,
    "hard_sigmoid": f.hardsigmoid,
    "hard_swish": f.hardswish,
    "hard_tanh": f.hardtanh,
    "integer_power": torch.pow,
    "is_finite": torch.isfinite,
    "leaky_relu": f.leaky_relu,
    "log_sigmoid": f.logsigmoid,
    "mish": f.mish,
    "power": torch.pow,
    "relu6": f.relu6,
    "selu": f.selu,
    "silu": f.silu,
    "soft_shrink": f.softshrink,
    "softplus": f.softplus,
    "equal": torch.eq,
} | {
    name: getattr(torch, name)
    for name in (
        "abs", "ceil", "cos", "erf", "exp", "expm1", "floor", "greater", "greater_equal", "less",
        "less_equal", "log", "log1p", "logical_and", "logical_not", "logical_or", "maximum", "minimum",
        "multiply", "negative", "not_equal", "reciprocal", "relu", "round", "rsqrt", "sigmoid", "sign", "sin",
        "sqrt", "square", "subtract", "tanh", "where",
    )
}  # fmt: skip
