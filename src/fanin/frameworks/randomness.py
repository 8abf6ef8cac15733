"""Random states that are put back."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np


@contextlib.contextmanager
def randomness(framework: Any, seed: int | None) -> Iterator[None]:
    """Put all random states back when the block ends.

    Args:
        framework: What has one beside Python and NumPy.
        seed: What they begin with inside; None for what they are.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    if seed is not None:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        with framework.seeded(seed):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
