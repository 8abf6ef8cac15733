"""The critical line of an activation: where signals and gradients of wide networks both stay."""

from __future__ import annotations

import math

from fanin.errors import FaninError
from fanin.theory.activation import Activation
from fanin.theory.moments import moments
from fanin.theory.panels import resolve


def critical_point(activation: Activation, q: float = 1.0) -> tuple[float, float]:
    """Return sigma_w^2 and sigma_b^2 for which pre-activations of variance q stay, and gradients too.

        chi_1 = sigma_w^2 E[f'(sqrt(q) z)^2] = 1,  q = sigma_w^2 E[f(sqrt(q) z)^2] + sigma_b^2

    Args:
        activation: The function.
        q: Variance of the pre-activations: the fixed point of the length map.

    Returns:
        Variance of the weights times fan_in, and of the biases.

    Raises:
        FaninError: There is no such point: chi_1 = 1 at q would need a negative variance of the biases,
            or the activation's derivative has no second moment.

    Example:
        >>> from fanin.theory.names import named
        >>> weight, bias = critical_point(named("tanh"), 1.0)
        >>> round(weight, 6), round(bias, 6)
        (2.153303, 0.150965)

    References:
        Poole et al. (2016), arXiv:1606.05340, eq. 3 and 5; Schoenholz et al. (2017), arXiv:1611.01232.
    """
    if not 0 < q < math.inf:
        raise FaninError(f"q is {q:g}.", expected="a positive variance of the pre-activations")
    scaled = _scaled(activation, math.sqrt(q))
    found = moments(scaled, resolve(scaled))
    if not found.derivative_second or not math.isfinite(found.derivative_second):
        raise FaninError(f"{activation.name} has no critical point: its derivative has no second moment.")
    weight = q / found.derivative_second  # d/dz f(s z) = s f'(s z)
    bias = q - weight * found.second
    if bias < -1e-9 * q:
        raise FaninError(f"{activation.name} has no critical point at q = {q:g}.", expected="another q")
    return weight, max(bias, 0.0)


def _scaled(activation: Activation, scale: float) -> Activation:
    """Return z -> f(scale z)."""
    slope = activation.derivative
    return Activation(
        activation.name,
        lambda z: activation.value(scale * z),
        None if slope is None else lambda z: scale * slope(scale * z),
        activation.source,
        activation.eps,
    )
