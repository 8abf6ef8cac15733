"""The variance that an activation asks for: 1 / E[f(z)^2], as schemes want it."""

from __future__ import annotations

import functools

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter

_KNOWN = {"linear": 1.0, "relu": 2.0}


@functools.cache
def variance_gain(activation: str) -> float:
    """Return 1 / E[f(z)^2] for z ~ N(0, 1): 2 for "relu", 1 for "linear".

    Args:
        activation: A name such as "gelu" or "leaky_relu(0.2)", see `fanin gain`.

    Raises:
        FaninError: There is no such activation.

    Example:
        >>> variance_gain("relu"), round(variance_gain("tanh"), 4)
        (2.0, 2.5362)

    References:
        He et al. (2015), arXiv:1502.01852, eq. 7.
    """
    if activation in _KNOWN:
        return _KNOWN[activation]
    # Here, so that schemes are listed and drawn without loading the quadrature.
    from fanin.theory.gain import gain_of
    from fanin.theory.names import named

    return gain_of(named(activation), depth=1).gain ** 2


def fed_variance_gain(parameter: Parameter) -> float:
    """Return `variance_gain` of the activation that feeds a parameter's layer; 1 where none is known."""
    return variance_gain(parameter.inputs) if is_activation(parameter.inputs) else 1.0


def is_activation(inputs: str) -> bool:
    """Return whether it is an activation that feeds a layer: no data, norm or sum, and no layer by its type.

    Example:
        >>> is_activation("gelu"), is_activation("data"), is_activation("LSTM")
        (True, False, False)
    """
    return inputs not in ("", "data", "norm", "sum") and not inputs[0].isupper()


def check_activation(activation: str) -> None:
    """Refuse the name of an activation that there is not, before anything is drawn."""
    if activation != "auto":
        try:
            variance_gain(activation)
        except FaninError as error:
            raise FaninError(
                error.what, expected=error.expected, fix='"auto" takes what feeds each layer'
            ) from None
