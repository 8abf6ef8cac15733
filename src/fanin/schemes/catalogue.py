"""The catalogue: every scheme with its formula and its source."""

from __future__ import annotations

import math
from collections.abc import Callable

from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.auto import AUTO
from fanin.schemes.by_role import BY_ROLE
from fanin.schemes.distributions import (
    TRUNCATED_SD,
    Constant,
    Distribution,
    Identity,
    Normal,
    Orthogonal,
    TruncatedNormal,
    Uniform,
)
from fanin.schemes.entry import Entry, KernelRule

_GLOROT = "Glorot and Bengio 2010, eq. 12, 16"
_HE = "He et al. 2015, arXiv:1502.01852, eq. 10"
_LECUN = "LeCun et al. 1998, Efficient BackProp, eq. 16"


def _fixed(kind: Callable[..., Distribution]) -> Callable[..., KernelRule]:
    """Return a maker of rules that do not look at the parameter."""
    return lambda *arguments: lambda parameter: kind(*arguments)


def variance_scaling(scale: float, mode: str, distribution: str) -> KernelRule:
    """Return the rule Var = scale / fan, where fan is fan_in or the average of the fans.

    Args:
        scale: Numerator of the variance.
        mode: "fan_in" or "fan_avg".
        distribution: "normal" (truncated at two sd, its variance corrected) or "uniform".
    """

    def rule(parameter: Parameter) -> Distribution:
        fan_in, fan_out = fans(parameter)
        fan = fan_in if mode == "fan_in" else (fan_in + fan_out) / 2
        sd = math.sqrt(scale / max(fan, 1.0))
        if distribution == "uniform":
            return Uniform(-math.sqrt(3) * sd, math.sqrt(3) * sd)
        return TruncatedNormal(0.0, sd / TRUNCATED_SD, -2.0, 2.0)

    return rule


def _torch_range(parameter: Parameter) -> Distribution:
    bound = 1 / math.sqrt(max(fans(parameter).fan_in, 1.0))
    return Uniform(-bound, bound)


def _scaled(
    scale: float, mode: str, distribution: str, text: str, source: str, for_: str, given: str
) -> Entry:
    half = "U(-r, r), r = sqrt(3 Var)" if distribution == "uniform" else "normal cut at 2 sd"
    return Entry(
        lambda: variance_scaling(scale, mode, distribution), for_, f"Var = {text}; {half}", source, given
    )


_LINEAR = "linear or tanh-like units near 0; inputs of mean 0"
_RELU = "ReLU; symmetric pre-activations"

CATALOGUE: dict[str, Entry] = {
    "zeros": Entry(
        _fixed(lambda: Constant(0.0)), "every weight 0: hidden units never part", "w = 0", "Keras, Zeros"
    ),
    "ones": Entry(
        _fixed(lambda: Constant(1.0)), "every weight 1: hidden units never part", "w = 1", "Keras, Ones"
    ),
    "constant": Entry(
        _fixed(Constant), "one value for all", "w = value", "Keras, Constant", defaults={"value": 0.0}
    ),
    "normal": Entry(
        _fixed(Normal),
        "a fixed scale, whatever the width",
        "N(mean, stddev^2)",
        "Keras, RandomNormal",
        defaults={"mean": 0.0, "stddev": 0.05},
    ),
    "uniform": Entry(
        _fixed(Uniform),
        "a fixed range, whatever the width",
        "U(minval, maxval)",
        "Keras, RandomUniform",
        defaults={"minval": -0.05, "maxval": 0.05},
    ),
    "truncated_normal": Entry(
        _fixed(lambda mean, stddev: TruncatedNormal(mean, stddev, -2.0, 2.0)),
        "a fixed scale without tails",
        "N(mean, stddev^2) cut at 2 stddev",
        "Keras, TruncatedNormal",
        defaults={"mean": 0.0, "stddev": 0.05},
    ),
    "glorot_normal": _scaled(
        1.0,
        "fan_avg",
        "normal",
        "2 / (fan_in + fan_out)",
        _GLOROT,
        "forward and backward variance alike",
        _LINEAR,
    ),
    "glorot_uniform": _scaled(
        1.0, "fan_avg", "uniform", "2 / (fan_in + fan_out)", _GLOROT, "Keras' default for kernels", _LINEAR
    ),
    "he_normal": _scaled(
        2.0, "fan_in", "normal", "2 / fan_in", _HE, "keeps the second moment through ReLU", _RELU
    ),
    "he_uniform": _scaled(
        2.0, "fan_in", "uniform", "2 / fan_in", _HE, "keeps the second moment through ReLU", _RELU
    ),
    "lecun_normal": _scaled(
        1.0,
        "fan_in",
        "normal",
        "1 / fan_in",
        f"{_LECUN}; SELU: arXiv:1706.02515",
        "keeps the variance forward; for SELU",
        _LINEAR,
    ),
    "lecun_uniform": _scaled(
        1.0, "fan_in", "uniform", "1 / fan_in", _LECUN, "keeps the variance forward", _LINEAR
    ),
    "orthogonal": Entry(
        _fixed(Orthogonal),
        "keeps lengths and angles through linear layers",
        "gain Q, Q Haar-orthogonal",
        "Saxe et al. 2014, arXiv:1312.6120",
        "a matrix (everything else, last axis)",
        {"gain": 1.0},
    ),
    "identity": Entry(
        _fixed(Identity),
        "passes signals on as they are",
        "gain I",
        "Le et al. 2015, arXiv:1504.00941",
        "a matrix",
        {"gain": 1.0},
    ),
    "torch_default": Entry(
        lambda: _torch_range,
        "what torch.nn.Linear and Conv draw, biases too",
        "U(-r, r), r = 1 / sqrt(fan_in); biases too",
        "PyTorch, kaiming_uniform_(a=sqrt 5)",
        "-",
        others=lambda: {"bias": _torch_range},
    ),
    **BY_ROLE,
    **AUTO,
}

ALIASES = {
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
    "random_normal": "normal",
    "random_uniform": "uniform",
    "Zeros": "zeros",
    "Ones": "ones",
    "Constant": "constant",
    "RandomNormal": "normal",
    "RandomUniform": "uniform",
    "TruncatedNormal": "truncated_normal",
    "GlorotNormal": "glorot_normal",
    "GlorotUniform": "glorot_uniform",
    "HeNormal": "he_normal",
    "HeUniform": "he_uniform",
    "LecunNormal": "lecun_normal",
    "LecunUniform": "lecun_uniform",
    "Orthogonal": "orthogonal",
    "Identity": "identity",
}
"""Other names: torch's, and Keras' functions and classes."""
