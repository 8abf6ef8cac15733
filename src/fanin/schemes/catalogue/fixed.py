"""A fixed scale: the same whatever the layer."""

from __future__ import annotations

from fanin.schemes.decision import Rules
from fanin.schemes.distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform
from fanin.schemes.registry import scheme


def _all(distribution: Distribution) -> Rules:
    return {"kernel": lambda parameter: distribution}


@scheme(formula="w = 0", source="Keras, Zeros", aliases=("Zeros",))
def zeros() -> Rules:
    """Every weight 0: hidden units never part."""
    return _all(Constant(0.0))


@scheme(formula="w = 1", source="Keras, Ones", aliases=("Ones",))
def ones() -> Rules:
    """Every weight 1: hidden units never part."""
    return _all(Constant(1.0))


@scheme(formula="w = value", source="Keras, Constant", aliases=("Constant",))
def constant(value: float = 0.0) -> Rules:
    """One value for all."""
    return _all(Constant(value))


@scheme(formula="N(mean, stddev^2)", source="Keras, RandomNormal", aliases=("random_normal", "RandomNormal"))
def normal(mean: float = 0.0, stddev: float = 0.05) -> Rules:
    """A fixed scale, whatever the width."""
    return _all(Normal(mean, stddev))


@scheme(
    formula="U(minval, maxval)", source="Keras, RandomUniform", aliases=("random_uniform", "RandomUniform")
)
def uniform(minval: float = -0.05, maxval: float = 0.05) -> Rules:
    """A fixed range, whatever the width."""
    return _all(Uniform(minval, maxval))


@scheme(
    formula="N(mean, stddev^2) cut at 2 stddev", source="Keras, TruncatedNormal", aliases=("TruncatedNormal",)
)
def truncated_normal(mean: float = 0.0, stddev: float = 0.05) -> Rules:
    """A fixed scale without tails."""
    return _all(TruncatedNormal(mean, stddev, -2.0, 2.0))
