"""A function or module of PyTorch as float64 NumPy functions: its values and its gradient."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from fanin.theory.activation import Activation, Array


def torch_activation(function: Callable[..., Any], name: str) -> Activation:
    """Return an activation of PyTorch's.

    A module is copied to float64 on the CPU; yours is left as it is.

    Args:
        function: A function of a tensor, or a module.
        name: What to call it.

    Example:
        >>> found = torch_activation(torch.nn.LeakyReLU(0.25), "leaky_relu")
        >>> found.value(np.array([-1.0])), found.derivative(np.array([-1.0]))
        (array([-0.25]), array([0.25]))
    """
    call = (
        copy.deepcopy(function).to("cpu", torch.float64)
        if isinstance(function, torch.nn.Module)
        else function
    )

    def value(x: Array) -> Array:
        with torch.no_grad():
            return _array(call(torch.tensor(x)))

    def derivative(x: Array) -> Array:
        with torch.enable_grad():
            leaf = torch.tensor(x, requires_grad=True)
            y = call(leaf.clone())  # a module may work in place, which a leaf does not allow
            if not y.requires_grad:
                return np.zeros_like(x)
            (gradient,) = torch.autograd.grad(y.sum(), leaf, allow_unused=True)
        return np.zeros_like(x) if gradient is None else _array(gradient)

    return Activation(name, value, derivative, "torch")


def _array(y: Any) -> Any:
    return y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else y
