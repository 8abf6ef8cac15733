"""Tiny steps of an optimizer, to tell zeros that unlock from those that are stuck; values are put back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

STEPS = 3
_STEP = 1e-3
"""Adam's first step moves each value by as much as its learning rate."""

Gradients = Callable[[], Sequence[torch.Tensor | None]]


def shares_of_zeros(gradients: Sequence[torch.Tensor | None]) -> list[float]:
    """Return the share of exact zeros of each gradient, 1 where there is none."""
    return [
        1.0 if one is None else 1 - torch.count_nonzero(one).item() / max(one.numel(), 1) for one in gradients
    ]


def unlocked(
    trained: Sequence[nn.Parameter], first: Sequence[torch.Tensor | None], again: Gradients
) -> list[tuple[float, ...]]:
    """Return the shares of exact zeros of each gradient at step 0 and after tiny steps, as many as it takes.

    Args:
        trained: The parameters; they have the same values afterwards.
        first: Their gradients at step 0.
        again: Computes them anew.
    """
    found = [shares_of_zeros(first)]
    now = first
    with _values_kept(trained):
        for _ in range(STEPS):
            reached = [share for share, one in zip(found[-1], first, strict=True) if one is not None]
            if max(reached, default=0.0) < 1.0:
                break
            _step(trained, now)
            now = again()
            found.append(shares_of_zeros(now))
    return list(zip(*found, strict=True))


@contextlib.contextmanager
def stepped(trained: Sequence[nn.Parameter], gradients: Sequence[torch.Tensor | None]) -> Iterator[None]:
    """Make one tiny step; values are put back when the block ends."""
    with _values_kept(trained):
        _step(trained, gradients)
        yield


def _step(trained: Sequence[nn.Parameter], gradients: Sequence[torch.Tensor | None]) -> None:
    with torch.no_grad():
        for parameter, gradient in zip(trained, gradients, strict=True):
            if gradient is not None:
                parameter.sub_(_STEP * torch.sign(torch.nan_to_num(gradient)))


@contextlib.contextmanager
def _values_kept(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    before = [parameter.detach().clone() for parameter in parameters]
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, values in zip(parameters, before, strict=True):
                parameter.copy_(values)
