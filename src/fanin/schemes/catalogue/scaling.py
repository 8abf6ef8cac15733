"""Variance scaling: LeCun, Glorot, He, and what lies between them."""

from __future__ import annotations

import math
from typing import Literal

from fanin.errors import FaninError
from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Rules
from fanin.schemes.distributions import (
    Distribution,
    Normal,
)
from fanin.schemes.gains import check_activation, fed_variance_gain, variance_gain
from fanin.schemes.registry import scheme
from fanin.schemes.spread import centered_uniform, truncated

Mode = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Shape = Literal["truncated_normal", "normal", "uniform"]

_GLOROT = "Glorot and Bengio 2010, eq. 12, 16"
_HE = "He et al. 2015, arXiv:1502.01852, eq. 10"
_LECUN = "LeCun et al. 1998, Efficient BackProp, eq. 16"
_SYMMETRIC = "symmetric pre-activations; inputs of second moment 1 or an activation that is known"
_LINEAR = "linear or tanh-like units near 0; inputs of mean 0"
_RELU = "ReLU; symmetric pre-activations"


def fan_of(parameter: Parameter, mode: Mode) -> float:
    """Return the fan that a variance is divided by, at least 1."""
    fan_in, fan_out = fans(parameter)
    fan = {
        "fan_in": fan_in,
        "fan_out": fan_out,
        "fan_avg": (fan_in + fan_out) / 2,
        "fan_geo_avg": math.sqrt(fan_in * fan_out),
    }[mode]
    return max(fan, 1.0)


def of_variance(variance: float, distribution: Shape, parameter: Parameter) -> Distribution:
    """Return a distribution of mean 0 and some variance for a parameter's values."""
    sd = math.sqrt(variance)
    if distribution == "uniform":
        return centered_uniform(sd, parameter)
    return truncated(sd, parameter) if distribution == "truncated_normal" else Normal(0.0, sd)


def _scaled(scale: float, mode: Mode, distribution: Shape, activation: str) -> Rules:
    check_activation(activation)
    if scale < 0:
        raise FaninError(f"A variance has the scale {scale:g}.", expected="a number, not negative")

    def rule(parameter: Parameter) -> Distribution:
        asked = fed_variance_gain(parameter) if activation == "auto" else variance_gain(activation)
        return of_variance(scale * asked / fan_of(parameter, mode), distribution, parameter)

    return {"kernel": rule}


@scheme(
    formula="Var = scale gain^2 / fan",
    source=f"{_HE}; Keras and JAX, VarianceScaling",
    assumptions=_SYMMETRIC,
)
def variance_scaling(
    scale: float = 1.0,
    mode: Mode = "fan_in",
    distribution: Shape = "truncated_normal",
    activation: str = "linear",
) -> Rules:
    """Any scale, fan and distribution; with activation="auto" the gain of what feeds each layer."""
    return _scaled(scale, mode, distribution, activation)


@scheme(
    formula="Var = 2 / (fan_in + fan_out); normal cut at 2 sd",
    source=_GLOROT,
    assumptions=_LINEAR,
    aliases=("xavier_normal", "GlorotNormal"),
)
def glorot_normal(scale: float = 1.0, mode: Mode = "fan_avg", activation: str = "linear") -> Rules:
    """Forward and backward variance alike."""
    return _scaled(scale, mode, "truncated_normal", activation)


@scheme(
    formula="Var = 2 / (fan_in + fan_out); U(-r, r), r = sqrt(3 Var)",
    source=_GLOROT,
    assumptions=_LINEAR,
    aliases=("xavier_uniform", "GlorotUniform"),
)
def glorot_uniform(scale: float = 1.0, mode: Mode = "fan_avg", activation: str = "linear") -> Rules:
    """Forward and backward variance alike; Keras' default for kernels."""
    return _scaled(scale, mode, "uniform", activation)


@scheme(
    formula="Var = 2 / fan_in; normal cut at 2 sd",
    source=_HE,
    assumptions=_RELU,
    aliases=("kaiming_normal", "HeNormal"),
)
def he_normal(scale: float = 1.0, mode: Mode = "fan_in", activation: str = "relu") -> Rules:
    """Keeps the second moment through ReLU, or through another activation."""
    return _scaled(scale, mode, "truncated_normal", activation)


@scheme(
    formula="Var = 2 / fan_in; U(-r, r), r = sqrt(3 Var)",
    source=_HE,
    assumptions=_RELU,
    aliases=("kaiming_uniform", "HeUniform"),
)
def he_uniform(scale: float = 1.0, mode: Mode = "fan_in", activation: str = "relu") -> Rules:
    """Keeps the second moment through ReLU, or through another activation."""
    return _scaled(scale, mode, "uniform", activation)


@scheme(
    formula="Var = 1 / fan_in; normal cut at 2 sd",
    source=f"{_LECUN}; SELU: arXiv:1706.02515",
    assumptions=_LINEAR,
    aliases=("LecunNormal",),
)
def lecun_normal(scale: float = 1.0, mode: Mode = "fan_in") -> Rules:
    """Keeps the variance forward; for SELU."""
    return _scaled(scale, mode, "truncated_normal", "linear")


@scheme(
    formula="Var = 1 / fan_in; U(-r, r), r = sqrt(3 Var)",
    source=_LECUN,
    assumptions=_LINEAR,
    aliases=("LecunUniform",),
)
def lecun_uniform(scale: float = 1.0, mode: Mode = "fan_in") -> Rules:
    """Keeps the variance forward."""
    return _scaled(scale, mode, "uniform", "linear")
