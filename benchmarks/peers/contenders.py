"""Whom fanin is held against: each takes a model and a batch like those that are measured, and a seed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import anyinit
import torch
from lsuv import lsuv_with_singlebatch
from torch import nn

import fanin

Contender = Callable[[nn.Module, torch.Tensor, int], None]
"""Gives a model first weights in place; the batch is of the measured one's kind, but not the same."""


def _own(model: nn.Module, batch: torch.Tensor, seed: int) -> None:
    """Leave the weights that the model was built with."""


def _anyinit(model: nn.Module, batch: torch.Tensor, seed: int) -> None:
    anyinit.initialize(model, "analytic", tuple(batch.shape), seed=seed)


def _anyinit_on_data(model: nn.Module, batch: torch.Tensor, seed: int) -> None:
    anyinit.initialize(model, "empirical", batch, seed=seed)


def _lsuv(model: nn.Module, batch: torch.Tensor, seed: int) -> None:
    lsuv_with_singlebatch(model, batch, verbose=False)


def _fanin(scheme: Any) -> Contender:
    def contender(model: nn.Module, batch: torch.Tensor, seed: int) -> None:
        fanin.initialize(model, scheme, seed=seed)

    return contender


CONTENDERS: dict[str, Contender] = {
    "own": _own,
    "AnyInit": _anyinit,
    "AnyInit, on data": _anyinit_on_data,
    "LSUV": _lsuv,
    "Keras": _fanin("keras_default"),
    "Flax": _fanin("flax_default"),
    "he_normal": _fanin("he_normal"),
    "auto": _fanin("auto"),
}


def initialized(name: str, build: Callable[[], nn.Module], batch: torch.Tensor, seed: int) -> nn.Module:
    """Return a model with a contender's first weights.

    Raises:
        Exception: Whatever the contender stops with.
    """
    torch.manual_seed(seed)
    model = build()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        CONTENDERS[name](model, batch, seed)
    return model
