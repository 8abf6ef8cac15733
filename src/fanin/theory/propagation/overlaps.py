r"""How much chance is in what two places have in common.

With n channels the products x . x' / n of values at two places are not their limit. What the places do not
have in common, (1 - c) q, overlaps by chance: with variance 1 / n relative to its square where the channels
are independent sums. Later layers see the same chance again and add their own: of what a function has in
common, E[f' f'] (1 - c) q / (1 - c_f) q_f goes with it, of a sum its share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.covariance import Covariance, covariance
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.signal import Signal, Value


def overlap(signal: Signal) -> float:
    """Return the variance of products of a signal's values at two places, relative to what they differ by."""
    return signal.overlap + _excess(signal.values) / max(signal.width, 1)


def spread_of_products(x: Signal) -> Covariance:
    """Return the variance of x x' from channel to channel, between places."""
    return np.maximum(covariance(x.values**2, x.places) - covariance(x.values, x.places) ** 2, 0.0)


def over_windows(x: Signal, taps: float, axes: int, groups: int = 1) -> float:
    """Return the variance of products of two windows' values that their inputs bring about.

    Products of inputs are independent from one place to the next, sums over k taps have 1 / k of their
    variance; what windows before made of them has `smoothed` of it.

    Args:
        x: What the windows read.
        taps: Positions that a window reads.
        axes: Along which it has as many taps each.
        groups: Parts of the channels that are summed each for itself.
    """
    return (overlap(x) - x.overlap) * groups / taps + x.overlap * smoothed(taps, axes)


def smoothed(taps: float, axes: int) -> float:
    """Return the variance that windows leave of what windows before have made.

    It goes from place to place as two windows share positions: (k - d) / k of them at distance d of k taps,
    which leaves sum (k - |d|)^2 / k^3 = (2 k^2 + 1) / 3 k^2 along an axis.

    Example:
        >>> smoothed(1, 2), round(smoothed(9, 2), 2)
        (1.0, 0.5)
    """
    squared = taps ** (2 / axes)
    return ((2 * squared + 1) / (3 * squared)) ** axes


def _excess(values: Array) -> float:
    """Return E[(a - b)^2 (c - d)^2] of four places over what it is for normal values."""
    if values.shape[1] == 1 or values.shape[2] == 1:
        return 1.0
    one, other = (values[:, first, 0] - values[:, 1 - first, -1] for first in (0, 1))
    wanted = float(np.mean(one**2) * np.mean(other**2) + 2 * np.mean(one * other) ** 2)
    return float(np.mean(one**2 * other**2)) / wanted if wanted else 1.0


def overlap_of(node: Node, inputs: Iterable[Value], value: Signal) -> float:
    """Return the variance of products at two places that what came before a node brings about.

    Example:
        >>> from fanin.theory.propagation.places import Places
        >>> x = Signal(np.ones((1, 2, 1)), Places(), width=64, examples=8, overlap=0.1)
        >>> y = Signal(x.values, x.places, width=64, examples=8)
        >>> overlap_of(Node("y", "norm"), [x], y), round(overlap_of(Node("y", "linear"), [x], y), 4)
        (0.1, 0.1156)
    """
    if value.overlap:  # its rule knows
        return value.overlap
    signals = [each for each in inputs if isinstance(each, Signal)]
    if node.op == "linear":
        return sum((overlap(signal) for signal in signals[:1]), 0.0)
    return max((signal.overlap for signal in signals), default=0.0)


def mixed(signals: Sequence[Signal], slopes: Sequence[Array | float], values: Array) -> float:
    """Return how much a function keeps of the chance in its inputs, which all goes back to the same.

    Args:
        signals: Its inputs.
        slopes: Its derivatives with respect to each.
        values: What it makes of them.
    """
    chance = np.array([signal.overlap for signal in signals])
    if not np.any(chance):
        return 0.0
    size = _apart(values)
    if not size:
        return float(np.max(chance))
    shares = np.array([_common(slope) * _apart(x.values) for x, slope in zip(signals, slopes, strict=True)])
    found = float(shares @ np.maximum.outer(chance, chance) @ shares) / size**2
    return found if math.isfinite(found) else float(np.max(chance))  # slopes without bound, as of log(abs(x))


def _apart(values: Array) -> float:
    """Return (1 - c) q of the two places that are the farthest apart."""
    return float(np.mean((values[:, 0, 0] - values[:, -1, -1]) ** 2)) / 2


def _common(slope: Array | float) -> float:
    """Return E[f' f'] of these places."""
    slope = np.asarray(slope, float)
    return float(slope) ** 2 if slope.ndim == 0 else float(np.mean(slope[:, 0, 0] * slope[:, -1, -1]))
