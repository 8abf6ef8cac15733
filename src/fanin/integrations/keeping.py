"""Random states are what they were: a check draws nothing that training would draw."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def random_states() -> Iterator[None]:
    """Put the random states of Python, of NumPy and, where it is loaded, of PyTorch back.

    Example:
        >>> random.seed(0)
        >>> with random_states():
        ...     first = random.random()
        >>> random.random() == first
        True
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with contextlib.ExitStack() as states:
        states.callback(np.random.set_state, numpy)
        states.callback(random.setstate, python)
        if "torch" in sys.modules:
            states.enter_context(_torch())
        yield


@contextlib.contextmanager
def _torch() -> Iterator[None]:
    import torch

    cpu = torch.get_rng_state()
    # A device that nobody has used has no state yet, and asking for it would start it.
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if devices:
            torch.cuda.set_rng_state_all(devices)
