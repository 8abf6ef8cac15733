"""The fill in JAX: the same words as on the host, the same values to single precision.

Values are computed in float32 from the words' distances to the ends of the range, so that neither the tails
nor the bulk lose digits. It runs under jit, on any device, with a traced key and a traced start. Each value
of a whole array comes from its place alone, so that a sharded array is made where its shards lie.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from fanin.random.law import COARSE, Law, law
from fanin.random.normal import far_square, ratio, tail
from fanin.random.philox import WORD

Pair = tuple[jax.Array, jax.Array]
"""The low and the high word of a number of 64 bits, uint32."""

_UNIT = 1.0 / WORD
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_WEYL = 0x9E3779B9, 0xBB67AE85


def normal(key: Any, shape: tuple[int, ...], mean: Any = 0.0, sd: Any = 1.0, *, start: Any = 0) -> jax.Array:
    """Return the values that `fanin.random.fill.fill_normal` fills in.

    Args:
        key: 64 bits from `fanin.random.philox.key_of`, or their two words as `key_words` gives them, which
            may be traced.
        shape: Shape of the values.
        mean: Mean, may be traced.
        sd: Standard deviation, may be traced.
        start: Index of the first value: an integer, which may be traced.

    Returns:
        float32 of the shape, within 1e-6 sd of the host's values.

    Example:
        >>> normal(1, (2, 3), sd=0.1).shape
        (2, 3)
    """
    return mean + sd * _standard(_pair(key), _start(start), shape, law(-math.inf, math.inf))


def truncated_normal(
    key: Any,
    shape: tuple[int, ...],
    mean: Any = 0.0,
    sd: Any = 1.0,
    low: float = -2.0,
    high: float = 2.0,
    *,
    start: Any = 0,
) -> jax.Array:
    """Return the values that `fanin.random.fill.fill_truncated_normal` fills in.

    Args:
        key: See `normal`.
        shape: Shape of the values.
        mean: Mean before truncation, may be traced.
        sd: Standard deviation before truncation, may be traced.
        low: Lower bound in standard deviations, may be -inf.
        high: Upper bound in standard deviations, may be inf.
        start: See `normal`.

    Returns:
        float32 of the shape, between the bounds as float32 has them.

    Example:
        >>> bool(jnp.abs(truncated_normal(1, (100,))).max() <= 2)
        True
    """
    bounded = jnp.clip(_standard(_pair(key), _start(start), shape, law(low, high)), low, high)
    return jnp.clip(mean + sd * bounded, mean + sd * low, mean + sd * high)


def uniform(
    key: Any, shape: tuple[int, ...], low: Any = 0.0, high: Any = 1.0, *, start: Any = 0
) -> jax.Array:
    """Return the values that `fanin.random.fill.fill_uniform` fills in.

    Args:
        key: See `normal`.
        shape: Shape of the values.
        low: Least value, may be traced.
        high: No value reaches it; may be traced.
        start: See `normal`.

    Returns:
        float32 of the shape.

    Example:
        >>> bool(uniform(1, (100,)).max() < 1)
        True
    """
    low, high = jnp.float32(low), jnp.float32(high)
    share = (_words(_pair(key), _start(start), shape, 0).astype(jnp.float32) + 0.5) * _UNIT
    below = jnp.maximum(jnp.nextafter(high, low), low)
    return jnp.clip(low + (high - low) * share, low, below)


def key_words(key: int) -> jax.Array:
    """Return a key's two words, uint32, to be passed into compiled functions.

    Example:
        >>> key_words(2**32 + 5).tolist()
        [5, 1]
    """
    return jnp.array([key % WORD, key // WORD], jnp.uint32)


@partial(jax.jit, static_argnames=("shape", "within"))
def _standard(key: Pair, start: Pair | None, shape: tuple[int, ...], within: Law) -> jax.Array:
    """Return standard normal values under a law."""
    words = _words(key, start, shape, 0)
    middle = min(max(math.ceil(-within.origin / within.step), 0), WORD)  # the first word above the median
    lower = _below(words, middle)
    distance = jnp.where(lower, words, ~words)  # ~w = 2^32 - 1 - w
    end = jnp.where(lower, jnp.float32(within.below), jnp.float32(within.above))
    share = end + jnp.float32(within.width) * _position(distance, key, start, within)
    size = jnp.where(
        _below(words, within.first) | ~_below(words, within.last),
        _tail(share, within),
        _center(share * jnp.float32(math.exp(-within.shift / 2))),
    )
    return jnp.where(lower, -size, size)


def _position(distance: jax.Array, key: Pair, start: Pair | None, within: Law) -> jax.Array:
    """Return distances as shares of the range, with a second word where one is too coarse."""
    fraction: Any = 0.5
    if within.first > 0 or within.last < WORD:
        second = (_words(key, start, distance.shape, 1).astype(jnp.float32) + 0.5) * _UNIT
        fraction = jnp.where(distance < COARSE, second, 0.5)
    return (distance.astype(jnp.float32) + fraction) * _UNIT


def _center(p: Any) -> jax.Array:
    return (0.5 - p) * ratio(p * (1.0 - p))


def _tail(share: Any, within: Law) -> jax.Array:
    y = jnp.float32(within.shift) - 2.0 * jnp.log(share)
    if not within.far:
        return tail(jnp.sqrt(y))
    square = y - 7.0
    for _ in range(4):
        square = far_square(y, square, jnp.log(square))
    return jnp.sqrt(square)


def _below(words: Any, edge: int) -> jax.Array:
    """Return whether words lie below an edge, which may be 2^32."""
    return words < jnp.uint32(edge) if edge < WORD else jnp.ones(words.shape, bool)


@partial(jax.jit, static_argnames=("shape", "domain"))
def _words(key: Pair, start: Pair | None, shape: tuple[int, ...], domain: int) -> jax.Array:
    """Return the words of values from `start` on, uint32; None is the beginning."""
    if start is None and shape and shape[-1] % 4 == 0:
        blocks = _places((*shape[:-1], shape[-1] // 4))
        return jnp.stack(_philox(_counter(blocks, 0, domain), *key), axis=-1).reshape(shape)
    if start is None and math.prod(shape) < WORD:
        places = _places(shape)
        return jnp.choose(places & 3, _philox(_counter(places >> 2, 0, domain), *key), mode="clip")
    low, high = start or (jnp.uint32(0), jnp.uint32(0))
    size = math.prod(shape)
    first = (low >> 2) | (high << 30)
    blocks = first + jnp.arange(size // 4 + 2, dtype=jnp.uint32)  # one more, since a start may cut a block
    carried = (high >> 2) + (blocks < first)
    flat = jnp.stack(_philox(_counter(blocks, carried, domain), *key), axis=-1).reshape(-1)
    return jax.lax.dynamic_slice(flat, [low & 3], [size]).reshape(shape)


def _places(shape: tuple[int, ...]) -> jax.Array:
    """Return each element's place in the order of a whole array, uint32, from its own indices."""
    places = jnp.zeros(shape, jnp.uint32)
    for axis in range(len(shape)):
        step = math.prod(shape[axis + 1 :])
        places += jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * jnp.uint32(step)
    return places


def _counter(low: Any, high: Any, domain: int) -> list[Any]:
    zeros = jnp.zeros_like(low)
    return [low, zeros + high, zeros + domain, zeros]


def _start(start: Any) -> Pair | None:
    """Return an index in two words; None for 0, which is known before anything is compiled."""
    return None if isinstance(start, int) and start == 0 else _pair(start)


def _pair(number: Any) -> Pair:
    """Return the low and the high word of a number, or of the pair that it is already."""
    if isinstance(number, int):
        return jnp.uint32(number % WORD), jnp.uint32(number // WORD)
    words = jnp.asarray(number)
    if words.ndim:
        return words[0], words[1]
    high = words >> 32 if words.dtype.itemsize == 8 else 0
    return words.astype(jnp.uint32), jnp.asarray(high, jnp.uint32)


def _philox(counter: list[Any], k0: Any, k1: Any) -> list[Any]:
    """Return `fanin.random.philox.philox` in 32-bit words."""
    c0, c1, c2, c3 = counter
    for _ in range(10):
        (high0, low0), (high1, low1) = _product(_MULTIPLIERS[0], c0), _product(_MULTIPLIERS[1], c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + jnp.uint32(_WEYL[0]), k1 + jnp.uint32(_WEYL[1])
    return [c0, c1, c2, c3]


def _product(factor: int, word: Any) -> tuple[Any, Any]:
    """Return a product's high and low word, from words of 16 bits: JAX may have no 64-bit integers."""
    high, low = jnp.uint32(factor >> 16), jnp.uint32(factor & 0xFFFF)
    top, bottom = word >> 16, word & 0xFFFF
    middle = high * bottom + (low * bottom >> 16)
    carry = (middle & 0xFFFF) + low * top
    return high * top + (middle >> 16) + (carry >> 16), jnp.uint32(factor) * word
