"""Checking a PyTorch module: what every framework has a function for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from fanin.errors import FaninError
from fanin.frameworks.given import Given
from fanin.frameworks.torch.checking.batch import Batch
from fanin.frameworks.torch.checking.losses import is_loss
from fanin.frameworks.torch.checking.ties import lost
from fanin.frameworks.torch.checking.vitals import of_width as at_width
from fanin.frameworks.torch.checking.vitals import vitals as of_batch
from fanin.frameworks.torch.examples import values_of
from fanin.frameworks.torch.fill import on_meta
from fanin.frameworks.torch.inventory import inventory
from fanin.frameworks.torch.keeping import seeded
from fanin.frameworks.vitals.declared import declared
from fanin.rules.vitals import Vitals, Width

__all__ = ["of_width", "seeded", "vitals"]

_WORDS = 100
"""Tokens that are drawn where nothing says how many a model knows: each knows these."""


def vitals(model: nn.Module, x: Any, y: Any, *, loss: Any, given: Given | None, seed: int) -> Vitals:
    """Return what a module does at step 0; it is left as it was.

    Args:
        model: The module.
        x: Its inputs, if they are given.
        y: The targets.
        loss: A function of (outputs, targets), a name, or None.
        given: What inputs are drawn from, if they are not given.
        seed: Of what is drawn.
    """
    if not is_loss(loss):
        raise FaninError(f"{loss!r} is no loss.", expected="a function (outputs, targets), a name, or None")
    if given is not None:
        x = _drawn(given, model, seed)
    batch = Batch.of(x, y, like=model, described=given is not None)
    try:
        found = of_batch(model, batch, loss, seed=seed)
    except FaninError as error:
        raise _for_ids(error, given) from error
    return replace(
        declared(found, partial(inventory, model), partial(_gates, model)), untied=tuple(lost(model))
    )


def _for_ids(error: FaninError, given: Given | None) -> FaninError:
    """Return an error with how to describe ids, if numbers were drawn where a table wants these."""
    if given is None or "'indices'" not in error.what or any(one.tokens for one in given):
        return error
    shape = "x".join(map(str, next(iter(given)).shape))
    return FaninError(error.what, expected="ids, which are whole numbers", fix=f'inputs="{shape}:tokens"')


def _gates(model: nn.Module, name: str) -> Any:
    """Return a bias with the one that PyTorch's recurrent layers add to it."""
    known = dict(model.named_parameters())
    second = known.get(name.replace("bias_ih", "bias_hh"), torch.zeros(()))
    bias = known[name].detach().float()
    return (bias + second.detach().float() if second is not known[name] else bias).cpu()


def of_width(
    model: nn.Module, x: Any, y: Any, width: int, *, loss: Any, given: Given | None, seed: int
) -> Width:
    """Return what a module of a width does, and how far a step moves it.

    Args:
        model: The module.
        x: As for `vitals`.
        y: As for `vitals`.
        width: Its width.
        loss: As for `vitals`.
        given: As for `vitals`.
        seed: As for `vitals`.
    """
    if given is not None:
        x = _drawn(given, model, seed)
    return at_width(model, Batch.of(x, y, like=model), loss, width, seed=seed)


def _drawn(given: Given, model: nn.Module, seed: int) -> Any:
    random = np.random.default_rng(seed)
    rows = [module.num_embeddings for module in model.modules() if isinstance(module, nn.Embedding)]
    words = min(rows, default=_WORDS)
    like = nn.Module() if on_meta(model.parameters()) else model  # nothing is drawn there

    def values(one: Any) -> torch.Tensor:
        return values_of(one, like, random, words).detach()

    with seeded(seed):
        if given.named:
            return {name: values(one) for name, one in given.named.items()}
        return tuple(values(one) for one in given.positional)
