"""What is put back when a module has been run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import torch


@contextlib.contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Put PyTorch's random state back when the block ends.

    Args:
        seed: What to begin with inside; None for what it is.
    """
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        if seed is not None:
            torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def kept(tensors: Iterable[torch.Tensor]) -> Iterator[None]:
    """Put the values of tensors back when the block ends."""
    now = list(tensors)
    before = [tensor.detach().clone() for tensor in now]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, values in zip(now, before, strict=True):
                tensor.copy_(values)
