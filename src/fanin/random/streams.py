"""One independent random stream for each (seed, name)."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from fanin.random.philox import key_of


class _Key(ISeedSequence):
    """A key in the place of a seed: `Philox(key=...)` would ask the system for entropy first, and drop it."""

    def __init__(self, key: np.ndarray) -> None:
        self.key = key

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> np.ndarray:
        return self.key


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the stream of a name under a seed.

    The name and the seed key a counter-based generator (Philox), so a stream does not depend on which
    other streams exist or in which order they are used.

    Args:
        seed: The run's seed, any integer.
        name: What the numbers are for ("dense/kernel", "data order", ...).

    Returns:
        A generator at the start of its stream.

    Example:
        >>> int(stream(0, "dense/kernel").integers(100)) == int(stream(0, "dense/kernel").integers(100))
        True

    References:
        Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011.
    """
    digest = hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=16).digest()
    seed_words: Any = _Key(np.frombuffer(digest, np.uint64))  # NumPy takes it; its annotations do not say so
    return np.random.Generator(np.random.Philox(seed_words))


def integer_seed(seed: int, name: str) -> int:
    """Return a seed in [0, 2^31) for generators that want an integer.

    Example:
        >>> 0 <= integer_seed(0, "dropout") < 2**31
        True
    """
    return key_of(seed, name) >> 33
