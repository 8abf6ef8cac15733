"""The signals of a PyTorch module: what every framework has functions for."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from fanin.errors import FaninError
from fanin.frameworks.given import Given
from fanin.frameworks.torch import graph
from fanin.frameworks.torch.apply import apply_plan
from fanin.frameworks.torch.examples import channel_axis, described
from fanin.frameworks.torch.fill import on_meta
from fanin.frameworks.torch.inventory import check_made, uncompiled
from fanin.frameworks.torch.keeping import kept as kept_values
from fanin.frameworks.torch.keeping import seeded
from fanin.frameworks.torch.measure import reader
from fanin.graph.signal import SignalGraph
from fanin.schemes.plan import InitPlan

__all__ = ["channel_axis", "drawn", "kept", "reader", "seeded", "signal_graph", "starts", "types_of"]


def signal_graph(
    model: nn.Module, given: Given, *, train: bool = False, laws: Mapping[str, Any] | None = None
) -> SignalGraph:
    """Return what a module computes, without running it.

    Args:
        model: The module.
        given: Its inputs.
        train: Whether as in training.
        laws: What parameters are distributed by, in the place of what they hold or declare.
    """
    check_made("", dict(model.named_parameters()))
    examples = [described(one, model) for one in given.positional]
    named = {name: described(one, model) for name, one in given.named.items()}
    return graph.signal_graph(model, _all(model, examples, named), train=train, laws=laws)


def types_of(model: nn.Module) -> dict[str, str]:
    """Return the type of every module in a model, by its path."""
    return {path: type(module).__name__ for path, module in uncompiled(model).named_modules()}


def starts(model: nn.Module) -> bool:
    """Return whether a module says how to make it anew: it does not."""
    return False


def drawn(plan: InitPlan, model: nn.Module, seed: int, given: Given) -> nn.Module:
    """Return a module with the values of a plan: the same one, or where it holds no values a real copy.

    Args:
        plan: What to draw.
        model: The module.
        seed: Of the values.
        given: Its inputs.
    """
    return apply_plan(plan, copy.deepcopy(model) if on_meta(iter(model.parameters())) else model, seed)


def kept(model: nn.Module) -> contextlib.AbstractContextManager[None]:
    """Put the values of a module's parameters and buffers back when the block ends.

    Args:
        model: The module.
    """
    return kept_values([*model.parameters(), *model.buffers()])


def _all(model: nn.Module, positional: list[torch.Tensor], named: dict[str, torch.Tensor]) -> Any:
    """Return inputs as tracing takes them: a tuple, or a mapping where they have names."""
    if not named:
        return tuple(positional)
    if positional:
        raise FaninError("Some inputs have names and others have not.", fix="give all of them names, or none")
    return named
