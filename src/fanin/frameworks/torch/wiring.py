"""What each layer's inputs come from, read from the traced graph of a module."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx, nn

from fanin.frameworks.torch.layers import is_norm

_PASSING = (
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.Flatten, nn.Unflatten,
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.Identity,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.Upsample,
)  # fmt: skip
_PASSING_NAMES = {
    "flatten", "reshape", "view", "permute", "transpose", "contiguous", "dropout", "max_pool1d", "max_pool2d",
    "max_pool3d", "avg_pool2d", "adaptive_avg_pool2d", "squeeze", "unsqueeze", "mean", "getitem", "size",
}  # fmt: skip
_ACTIVATIONS = {
    "ReLU": "relu", "GELU": "gelu", "SiLU": "silu", "Tanh": "tanh", "Sigmoid": "sigmoid", "ELU": "elu",
    "SELU": "selu", "Mish": "mish", "Softplus": "softplus", "Hardswish": "hardswish", "ReLU6": "relu6",
    "Hardtanh": "hardtanh", "Softsign": "softsign", "CELU": "celu", "Hardsigmoid": "hardsigmoid",
}  # fmt: skip
_FUNCTIONS = {**{name: name for name in _ACTIVATIONS.values()}, "relu_": "relu", "sin": "sin"}


def inputs_of_layers(graph: fx.Graph | None, modules: dict[str, nn.Module]) -> dict[str, str]:
    """Return what feeds each layer: an activation's name, "norm", "data", "sum", by the layer's path.

    Layers that a symbolic trace does not reach are left out: nothing is guessed.

    Args:
        graph: The module's graph; None where it cannot be traced.
        modules: The module's layers by path.
    """
    found: dict[str, str] = {}
    for node in graph.nodes if graph is not None else ():
        if node.op == "call_module" and node.args:
            source = _source(node.args[0], modules)
            path = str(node.target)
            found[path] = source if found.get(path, source) == source else ""
    return {path: source for path, source in found.items() if source}


def _source(node: Any, modules: dict[str, nn.Module]) -> str:
    """Return what the values of a node are, looking through what keeps them."""
    while isinstance(node, fx.Node):
        if node.op == "placeholder":
            return "data"
        if node.op == "call_module":
            layer = modules[str(node.target)]
            name = activation_of(node, modules) or ("norm" if is_norm(layer) else "")
            if name or not isinstance(layer, _PASSING):
                return name or type(layer).__name__
        elif node.op in ("call_function", "call_method"):
            if name := activation_of(node, modules):
                return name
            name = function_name(node)
            if node.target in (operator.add, operator.iadd, torch.add):
                return "sum"
            if name not in _PASSING_NAMES:
                return ""
        else:
            return ""
        node = node.args[0] if node.args else None
    return ""


def activation_of(node: fx.Node, modules: dict[str, nn.Module]) -> str:
    """Return the name of the activation that a node calls, empty where it calls none."""
    if node.op == "call_module":
        return activation_name(modules[str(node.target)])
    name = _FUNCTIONS.get(function_name(node), "")
    return "gelu_tanh" if name == "gelu" and node.kwargs.get("approximate") == "tanh" else name


def function_name(node: fx.Node) -> str:
    """Return the name of the function or method that a node calls, empty for anything else."""
    if node.op not in ("call_function", "call_method"):
        return ""
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")


def activation_name(layer: nn.Module) -> str:
    """Return the name of an activation layer with its arguments, empty for any other layer.

    Example:
        >>> activation_name(nn.LeakyReLU(0.2)), activation_name(nn.Linear(1, 1))
        ('leaky_relu(0.2)', '')
    """
    kind = type(layer).__name__
    if isinstance(layer, nn.LeakyReLU):
        return f"leaky_relu({layer.negative_slope:g})"
    if isinstance(layer, nn.GELU) and layer.approximate == "tanh":
        return "gelu_tanh"
    return _ACTIVATIONS.get(kind, "") if type(layer).__module__.startswith("torch.nn") else ""
