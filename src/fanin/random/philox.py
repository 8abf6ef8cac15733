"""Philox4x32-10: a key and a counter to four random words, and the key of a name."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORD = 2**32
VALUES, TAILS = np.uint64(0), np.uint64(1)
"""Domains, the third word of the counter: one word a value, and one more for values far in a tail."""

_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _HALF = np.uint64(WORD - 1), np.uint64(32)


def key_of(seed: int, name: str) -> int:
    """Return the 64-bit key of a name under a seed.

    Args:
        seed: The run's seed, any integer.
        name: What the numbers are for, a parameter's name.

    Example:
        >>> hex(key_of(0, "dense/kernel"))
        '0x7e4c42a076e1e274'
    """
    return int.from_bytes(hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest(), "little")


def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> tuple[Any, Any, Any, Any]:
    """Return the four words of a counter under a key.

    They come from ten rounds of

        c0, c1, c2, c3 <- hi(M1 c2) ^ c1 ^ k0, lo(M1 c2), hi(M0 c0) ^ c3 ^ k1, lo(M0 c0)

    with the key raised by a Weyl sequence after each round. Words are held in 64 bits, so that a product is
    one operation. It takes scalars or arrays, and it is what the compiled fill compiles.

    Args:
        c0: First word of the counter, uint64 below 2^32; so are the others.
        c1: Second word.
        c2: Third word.
        c3: Fourth word.
        k0: First word of the key.
        k1: Second word of the key.

    Returns:
        Four words, uint64 below 2^32.

    Example:
        >>> zero = np.uint64(0)
        >>> " ".join(f"{word:08x}" for word in philox(zero, zero, zero, zero, zero, zero))
        '6627e8d5 e169c58d bc57ac4c 9b00dbd8'

    References:
        Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011, sec. 3.3.
    """
    for _ in range(10):
        even, odd = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (odd >> _HALF) ^ c1 ^ k0, odd & _LOW, (even >> _HALF) ^ c3 ^ k1, even & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


def words(key: int, blocks: NDArray[np.uint64], domain: np.uint64 = VALUES) -> NDArray[np.uint64]:
    """Return the words of some blocks of a key's sequence.

    The counter is the block's number in two words, the domain, and zero.

    Args:
        key: 64 bits, from `key_of`.
        blocks: Numbers of blocks, any shape.
        domain: Which of the key's sequences.

    Returns:
        uint64 below 2^32, (..., 4); value i of a sequence is word i % 4 of block i // 4.

    Example:
        >>> words(0, np.arange(2, dtype=np.uint64)).shape
        (2, 4)
    """
    key_words = np.uint64(key % WORD), np.uint64(key // WORD)
    return np.stack(philox(blocks & _LOW, blocks >> _HALF, domain, np.uint64(0), *key_words), axis=-1)
