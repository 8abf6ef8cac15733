"""What feeds a layer, as a gain: the layer's outputs then have second moment 1."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fanin.schemes.gains import is_activation
from fanin.schemes.pairs import ALL

if TYPE_CHECKING:
    from fanin.theory.gain import Gain

_UNIT = {"data": "inputs", "norm": "normalized inputs"}
# The output gate starts half open.
_LSTM = 2.0
_APART = 3.0
_SHARES = (3, 5, 7)
_SHORT = len(_SHARES) + 1  # layers: all of their links would be the end


class Feed(NamedTuple):
    """1 / sqrt of the second moment of what feeds a layer, and the reason in words."""

    gain: float
    reason: str


@functools.cache
def feed(inputs: str) -> Feed:
    """Return the gain for what feeds a layer.

    Args:
        inputs: As in `fanin.graph.parameter.Parameter`.

    Example:
        >>> feed("relu").reason
        'Var = 2 / fan_in: relu feeds it'
    """
    if inputs in _UNIT:
        return Feed(1.0, f"Var = 1 / fan_in: {_UNIT[inputs]} have second moment 1")
    if inputs == "LSTM":
        return Feed(_LSTM, "Var = 4 / fan_in: an LSTM's output gate halves its state")
    if not is_activation(inputs):
        known = f"a {inputs}" if inputs else "what is not known"
        return Feed(1.0, f"Var = 1 / fan_in: fed by {known}, taken to have second moment 1")
    found = _gain_of(inputs)
    stable = "" if found.stability != "unstable" else " (unstable: drifts with depth)"
    return Feed(found.gain, f"Var = {found.gain**2:.4g} / fan_in: {inputs} feeds it{stable}")


@functools.cache
def odd_feed(inputs: str) -> Feed:
    """Return the gain for a layer that reads an activation f in pairs f(z) - f(-z), one value for two units.

    Example:
        >>> odd_feed("gelu").reason  # gelu(z) - gelu(-z) = z
        'Var = 2 / fan_in: gelu(z) - gelu(-z) feeds it'
    """
    found = _odd_gain(inputs)
    variance = 2 * found.gain**2 if found else 1.0
    return Feed(math.sqrt(variance), f"Var = {variance:.4g} / fan_in: {inputs}(z) - {inputs}(-z) feeds it")


@functools.cache
def drifts(activation: str) -> bool:
    """Return whether deep networks drift from the fixed point of an activation f, but not in pairs of units.

    Where the slope of the length map is 1 or more, no layer undoes what chance or finite width did in the
    layers before. In pairs a layer reads f(z) - f(-z) instead; for ReLU, GELU, SiLU and all z g(z) with
    g(z) + g(-z) = 1 that is z itself: the network starts as a linear, orthogonal one.

    Example:
        >>> drifts("relu"), drifts("silu"), drifts("tanh"), drifts("")
        (True, True, False, False)

    References:
        Balduzzi et al. (2017), arXiv:1702.08591, sec. 4; Burkholz and Dubatovka (2019), arXiv:1806.06362.
    """
    if not is_activation(activation) or _gain_of(activation).stability == "stable":
        return False
    odd = _odd_gain(activation)
    return odd is not None and odd.stability != "unstable"


@functools.cache
def eighths(activation: str, layers: int, units: int, links: int) -> int:
    """Return how many eighths of the units should be paired through an activation f.

    Between layers of pairs a signal neither drifts nor changes its gradient. Where all end at once, the
    gradient's second moment changes by 2 E[f'^2] / E[(f(z) - f(-z))^2]: by nothing for ReLU, by 0.91 for
    GELU, by 0.76 for SiLU. So they end slowly: in the last three links of a row 7, 5 and 3 eighths of the
    units are in pairs. With a share p of them, chi = E[f'^2] / E[f^2] and E[(f(z) - f(-z))^2] = 1, a link
    multiplies the gradient's second moment by a(p) = p + (1 - p) chi, pairs taken together, and for each unit
    by b(p) = 2 p E[f'^2] + (1 - p) chi. Where p is followed by p', the gradient so changes by
    a(p') b(p) / b(p'), and by b(p) in the last link: for SiLU at most by 0.94, for GELU by 0.98. (With 6, 4
    and 2 eighths it would be 0.92 and 0.97, and chance has more room where fewer units are in pairs.)

    Where they cost something, pairs pay in rows that are longer than their end, if lucky and unlucky networks
    (first and last decile of the second moment) would otherwise be a factor of 3 apart by the end of the row.

    Args:
        activation: f.
        layers: In a row.
        units: The fewest outputs in the row that are passed on.
        links: From this one to the end of the row; 0 where all units must be paired or none.

    Example:
        >>> eighths("relu", 3, 64, 1), eighths("silu", 3, 512, 1), eighths("silu", 30, 512, 1)
        (8, 0, 3)
    """
    if not units or not drifts(activation):
        return 0
    if _keeps_gradients(activation):
        return ALL
    if layers <= _SHORT or not _apart(activation, layers, units) > _APART:
        return 0
    return _SHARES[links - 1] if 0 < links <= len(_SHARES) else ALL


def _keeps_gradients(activation: str) -> bool:
    """Return whether the gradient's second moment stays where pairs end: 2 E[f'^2] = E[(f(z) - f(-z))^2]."""
    slope, odd = _gain_of(activation).derivative_second_moment, _odd_gain(activation)
    return odd is not None and slope is not None and abs(2 * slope * odd.gain**2 - 1) < 1e-6


def _apart(activation: str, layers: int, units: int) -> float:
    """Return the last decile of second moments by the first one, after so many layers."""
    from fanin.theory.gain import gain_of
    from fanin.theory.names import named

    drift = gain_of(named(activation), depth=layers, width=units).drift
    return drift.high[-1] / drift.low[-1]


@functools.cache
def _gain_of(activation: str) -> Gain:
    # Here, so that the catalogue is listed without loading the quadrature.
    from fanin.theory.gain import gain_of
    from fanin.theory.names import named

    return gain_of(named(activation), depth=1)


@functools.cache
def _odd_gain(activation: str) -> Gain | None:
    """Return the gain of f(z) - f(-z); None where that is 0."""
    from fanin.theory.activation import Activation
    from fanin.theory.gain import gain_of
    from fanin.theory.names import named

    value = named(activation).value
    odd = Activation(f"odd {activation}", lambda z: value(z) - value(-z))
    return gain_of(odd, depth=1) if np.any(odd.value(np.linspace(0.1, 3, 30))) else None
