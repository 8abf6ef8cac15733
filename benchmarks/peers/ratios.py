"""How much second moments change from one output to its neighbour, forward and backward."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import nn

from benchmarks.peers.contenders import initialized
from benchmarks.peers.rows import Row


class Worst(NamedTuple):
    """The worst ratios between neighbours, at least 1; infinite where a signal is lost."""

    forward: float
    backward: float


def worst_ratios(row: Row, contender: str, seed: int) -> Worst:
    """Return a contender's worst ratios on a model, for one seed of weights, inputs and cotangents."""
    generator = torch.Generator().manual_seed(seed)
    calibration, x = row.inputs(generator), row.inputs(generator)
    model = initialized(contender, row.build, calibration, seed).train()
    chains = row.chains(model)
    record = _Record([module for chain in chains for module in chain])
    y = row.call(model, x)
    y.backward(torch.randn(y.shape, generator=generator))
    record.end()
    return Worst(
        max(_worst([record.forward[module] for module in chain]) for chain in chains),
        max(_worst([record.backward[module] for module in chain]) for chain in chains),
    )


class _Record:
    """The second moments of modules' outputs and of the gradients with respect to them."""

    def __init__(self, modules: list[nn.Module]) -> None:
        self.forward: dict[nn.Module, float] = {}
        self.backward: dict[nn.Module, float] = {}
        self._hooks = [module.register_forward_hook(self._ran) for module in modules]

    def _ran(self, module: nn.Module, inputs: Any, output: Any) -> None:
        tensor = output[0] if isinstance(output, tuple) else output
        self.forward[module] = _second_moment(tensor)
        tensor.register_hook(lambda gradient: self.backward.update({module: _second_moment(gradient)}))

    def end(self) -> None:
        """Let go of the modules' hooks, with which they would stay in memory."""
        for hook in self._hooks:
            hook.remove()


def _second_moment(tensor: torch.Tensor) -> float:
    return float(tensor.detach().double().square().mean())


def _worst(moments: list[float]) -> float:
    return max(_ratios(moments), default=1.0)


def _ratios(moments: list[float]) -> Iterator[float]:
    for one, other in pairwise(moments):
        lost = not (0 < one < math.inf and 0 < other < math.inf)
        yield math.inf if lost else max(one / other, other / one)
