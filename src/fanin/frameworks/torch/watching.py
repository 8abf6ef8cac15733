"""Moments of what every module in a model returns, and of the gradient with respect to it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import nn

from fanin.frameworks.readings import LayerReading, Moments, Reading
from fanin.frameworks.torch.graph.exporting import tensors_of
from fanin.frameworks.torch.inventory import is_parametrization


class Watch(contextlib.ExitStack):
    """Reads while the block runs; a module that is called again is called "path#2".

    Args:
        model: The module.
        examples: Size of the batch.
    """

    def __init__(self, model: nn.Module, examples: int) -> None:
        super().__init__()
        self.model, self.examples = model, examples
        self._layers: list[LayerReading] = []
        self._gradients: dict[str, Moments] = {}
        self._calls: dict[str, int] = {}

    def __enter__(self) -> Self:
        modules = dict(self.model.named_modules())
        if len(modules) == 1:  # a layer by itself goes by its type
            modules = {type(self.model).__name__: self.model}
        for path, module in modules.items():
            if path and not is_parametrization(path):
                self.callback(module.register_forward_hook(self._hook(path)).remove)
        return self

    def reading(self, gradients: Sequence[tuple[nn.Parameter, torch.Tensor | None]]) -> Reading:
        """Return what was read.

        Args:
            gradients: Every trained parameter with its gradient.
        """
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        parameters = tuple(
            (names[id(p)], tuple(p.shape), _square(p), None if g is None else _square(g))
            for p, g in gradients
        )
        layers = tuple(replace(one, gradient=self._gradients.get(one.name)) for one in self._layers)
        return Reading(layers, parameters)

    def _hook(self, path: str) -> Any:
        def hook(module: nn.Module, args: Any, result: Any) -> None:
            output = next(tensors_of(result), None)
            if output is None:
                return
            calls = self._calls[path] = self._calls.get(path, 0) + 1
            name = path if calls == 1 else f"{path}#{calls}"
            moments = moments_of(output, self.examples)
            self._layers.append(LayerReading(name, type(module).__name__, tuple(output.shape), moments))
            if output.requires_grad:
                output.register_hook(lambda gradient: self._take(name, gradient))

        return hook

    def _take(self, name: str, gradient: torch.Tensor) -> None:
        self._gradients[name] = moments_of(gradient, self.examples)


def moments_of(tensor: torch.Tensor, examples: int) -> Moments:
    """Return mean, mean square, and correlation of two examples over all pairs of them.

    Args:
        tensor: Any shape.
        examples: Size of the batch.

    Example:
        >>> moments_of(torch.tensor([[1.0, 1.0], [1.0, 1.0]]), 2)
        Moments(mean=1.0, q=1.0, c=1.0)
    """
    wide = tensor.detach().double()
    mean, q = wide.mean().item(), wide.square().mean().item()
    rows = _by_example(wide, examples)
    if rows is None or not q:
        return Moments(mean, q)
    # The sum over all pairs is the square of the sum less the squares.
    both = rows.sum(0).square().mean().item() / examples
    return Moments(mean, q, (both - q) / (examples - 1) / q)


def _by_example(tensor: torch.Tensor, examples: int) -> torch.Tensor | None:
    """Return it with a row an example; None where there is one, or no axis is the batch's."""
    if examples < 2:
        return None
    for axis, size in enumerate(tensor.shape[:2]):  # recurrent layers may have time before the batch
        if size == examples:
            return tensor.movedim(axis, 0).reshape(examples, -1)
    # Windows and patches may lie within the first axis, after the batch.
    if tensor.ndim and tensor.shape[0] and tensor.shape[0] % examples == 0:
        return tensor.reshape(examples, -1)
    return None


def _square(tensor: torch.Tensor) -> float:
    return tensor.detach().double().square().mean().item()
