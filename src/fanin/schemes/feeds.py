"""What feeds a layer, as a gain: the layer's outputs then have second moment 1."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fanin.schemes.gains import is_activation

if TYPE_CHECKING:
    from fanin.theory.gain import Gain

_UNIT = {"data": "inputs", "norm": "normalized inputs"}
# The output gate starts half open.
_LSTM = 2.0
_DECADE = 10.0


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
    """Return the gain for a layer that reads an activation f in pairs f(z) - f(-z).

    Example:
        >>> odd_feed("gelu").reason  # gelu(z) - gelu(-z) = z
        'Var = 1 / pairs: gelu(z) - gelu(-z) feeds it'
    """
    found = _odd_gain(inputs)
    gain = found.gain if found else 1.0
    return Feed(gain, f"Var = {gain**2:.4g} / pairs: {inputs}(z) - {inputs}(-z) feeds it")


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
def pairs_pay(activation: str, layers: int, units: int) -> bool:
    """Return whether units should be paired through an activation f, in a row of so many layers.

    Between layers of pairs a signal neither drifts nor changes its gradient. Where the pairs end, the
    gradient's second moment changes once, by 2 E[f'^2] / E[(f(z) - f(-z))^2]: by nothing for ReLU, by 0.91
    for GELU, by 0.76 for SiLU. That is worth it where, by the end of the row, lucky and unlucky networks
    (first and last decile) would be a factor of 10 apart.

    Example:
        >>> pairs_pay("relu", 3, 64), pairs_pay("silu", 3, 64), pairs_pay("silu", 30, 64)
        (True, False, True)
    """
    if not units or not drifts(activation):
        return False
    from fanin.theory.gain import gain_of
    from fanin.theory.names import named

    found, odd = gain_of(named(activation), depth=layers, width=units), _odd_gain(activation)
    slope = found.derivative_second_moment
    if odd is not None and slope is not None and abs(2 * slope * odd.gain**2 - 1) < 1e-6:
        return True
    return found.drift.high[-1] > _DECADE * found.drift.low[-1]


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
