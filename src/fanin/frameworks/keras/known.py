"""Keras' own initializers as distributions, so that any number of seeds is drawn without Keras."""

from __future__ import annotations

import math
from typing import Any

import keras

from fanin.graph.parameter import Axis, Parameter
from fanin.schemes.distributions import (
    Constant,
    Distribution,
    Identity,
    Normal,
    Orthogonal,
    TruncatedNormal,
    Uniform,
)
from fanin.schemes.spread import TRUNCATED_SD

_init = keras.initializers


def known_distribution(initializer: Any, shape: tuple[int, ...]) -> Distribution | None:
    """Return what an initializer of Keras' or fanin's own draws for a shape; None for any other.

    Subclasses count as other callables: they may draw something else.

    Args:
        initializer: What a variable was born with.
        shape: The variable's shape.
    """
    if hasattr(initializer, "fanin_distribution"):
        return initializer.fanin_distribution(shape)
    if not type(initializer).__module__.startswith("keras."):
        return None
    if isinstance(initializer, _init.VarianceScaling):
        return _variance_scaling(initializer, shape)
    if isinstance(initializer, _init.Identity) and len(shape) != 2:
        return None  # Keras itself says that there is none
    rule = _RULES.get(type(initializer))
    return rule(initializer) if rule else None


_RULES: dict[type, Any] = {
    _init.Zeros: lambda i: Constant(0.0),
    _init.Ones: lambda i: Constant(1.0),
    _init.Constant: lambda i: Constant(float(i.value)),
    _init.RandomNormal: lambda i: Normal(float(i.mean), float(i.stddev)),
    _init.RandomUniform: lambda i: Uniform(float(i.minval), float(i.maxval)),
    _init.TruncatedNormal: lambda i: TruncatedNormal(float(i.mean), float(i.stddev), -2.0, 2.0),
    _init.Orthogonal: lambda i: Orthogonal(float(i.gain)),
    _init.Identity: lambda i: Identity(float(i.gain)),
}


def _variance_scaling(initializer: Any, shape: tuple[int, ...]) -> Distribution:
    fan_in, fan_out = shape_fans(shape)
    inputs, outputs = (getattr(initializer, name, None) for name in ("input_axes", "output_axes"))
    if inputs is not None and outputs is not None:
        fan_in, fan_out = (float(math.prod(shape[axis] for axis in axes)) for axes in (inputs, outputs))
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[initializer.mode]
    sd = math.sqrt(initializer.scale / max(1.0, fan))
    if initializer.distribution == "truncated_normal":
        return TruncatedNormal(0.0, sd / TRUNCATED_SD, -2.0, 2.0)
    if initializer.distribution == "uniform":
        return Uniform(-math.sqrt(3) * sd, math.sqrt(3) * sd)
    return Normal(0.0, sd)


def shape_fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Return (fan_in, fan_out) as Keras' own initializers see a bare shape (..., in, out).

    fanin's schemes take their fans from the layer instead; this is only for drawing what Keras would.

    Example:
        >>> shape_fans((3, 3, 16, 32))
        (144.0, 288.0)
    """
    if len(shape) < 2:
        size = float(shape[0]) if shape else 1.0
        return size, size
    taps = math.prod(shape[:-2])
    return float(taps * shape[-2]), float(taps * shape[-1])


def bare(name: str, shape: tuple[int, ...]) -> Parameter:
    """Return a parameter of which only the shape is known, read as Keras reads it: (..., in, out).

    Example:
        >>> bare("kernel", (3, 3, 16, 32)).axes
        ('tap', 'tap', 'in', 'out')
    """
    taps: tuple[Axis, ...] = ("tap",) * (len(shape) - 2)
    return Parameter(name, shape, "kernel", (*taps, "in", "out") if len(shape) > 1 else ())
