"""Distributions of mean 0 that have a given standard deviation, for real and complex values."""

from __future__ import annotations

import math

from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import TruncatedNormal, Uniform

TRUNCATED_SD = 0.87962566103423978
"""Sd of a standard normal truncated at +-2; truncated schemes divide by it to keep the variance."""
COMPLEX_TRUNCATED_SD = math.sqrt(1 - 4 / math.expm1(4))
"""The same of a complex standard normal whose modulus is truncated at 2."""


def truncated(sd: float, parameter: Parameter) -> TruncatedNormal:
    """Return the normal cut at two sd whose values have a given sd.

    References:
        The sd of a complex standard normal with its modulus cut at 2 is sqrt(1 - 4 / (e^4 - 1)).
    """
    return TruncatedNormal(0.0, sd / (COMPLEX_TRUNCATED_SD if parameter.complex else TRUNCATED_SD))


def centered_uniform(sd: float, parameter: Parameter) -> Uniform:
    """Return the uniform distribution around 0 whose values have a given sd: E|w|^2 = r^2 / 3, or r^2 / 2."""
    reach = math.sqrt(2 if parameter.complex else 3) * sd
    return Uniform(-reach, reach)
