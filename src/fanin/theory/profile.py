"""The signals of a model, layer by layer: one type for what is predicted and what is measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Estimate:
    """A number with what is not known of it.

    Args:
        value: The number: of a prediction, its expectation over random first weights.
        error: Standard error of the value; 0 where it is exact or, of one measurement, unknown.
        chance: Standard deviation from one network's first weights to the next one's.

    Example:
        >>> Estimate(2.0, 0.1, 0.2).bar(1)
        0.2236...
    """

    value: float
    error: float = 0.0
    chance: float = 0.0

    def bar(self, sigmas: float = 2.0) -> float:
        """Return how far from the value one network's may lie, in so many standard deviations."""
        return sigmas * math.hypot(self.error, self.chance)


@dataclass(frozen=True)
class Forward:
    """A layer's outputs.

    Args:
        mean: Mean of all elements.
        q: E[x^2], their second moment.
        c: Correlation of the outputs of two inputs, E[x x'] / E[x^2] at the same place; None for one example.
    """

    mean: Estimate
    q: Estimate
    c: Estimate | None = None


@dataclass(frozen=True)
class Backward:
    """The gradient with respect to a layer's outputs.

    Args:
        q: E[g^2], its second moment.
        c: Correlation of the gradients of two inputs; None for one example.
    """

    q: Estimate
    c: Estimate | None = None


@dataclass(frozen=True)
class LayerSignal:
    """What goes through a layer.

    Args:
        name: Path of the module, or the node's name where it is none.
        type: The module's type, or the op.
        shape: Shape of its outputs.
        forward: Its outputs; None where unknown.
        backward: The gradient with respect to them; None where unknown, or where none was asked for.
        chi_1: For a layer with weights that reads an activation f of a layer before: fan_in Var(w) E[f'^2],
            by which the squared distance of two close inputs is multiplied.
        unknown: Why something is None: the op that is not understood, and where; else "".
        where: File and line, or the module.
    """

    name: str
    type: str = ""
    shape: tuple[int, ...] = ()
    forward: Forward | None = None
    backward: Backward | None = None
    chi_1: float | None = None
    unknown: str = ""
    where: str = ""


@dataclass(frozen=True)
class ParameterSignal:
    """A parameter and its gradient.

    Args:
        name: Its path in the model.
        shape: Its shape.
        second_moment: E[w^2]; None where unknown.
        gradient: E[dw^2] of the gradient; None where unknown.
    """

    name: str
    shape: tuple[int, ...] = ()
    second_moment: float | None = None
    gradient: Estimate | None = None


@dataclass(frozen=True, eq=False)
class SignalProfile(Mapping[str, LayerSignal]):
    """The signals of a model along its depth.

    Args:
        layers: In the order of execution.
        parameters: Every trained parameter that the model reads.
        source: "predicted" or "measured".
        model: What the model is called.
        inputs: What it was given, in words.
        cotangent: What the gradients are of, in words.
        notes: What to know about it.

    Example:
        >>> profile = SignalProfile((LayerSignal("fc"),), source="predicted")
        >>> profile["fc"].forward is None, list(profile)
        (True, ['fc'])
    """

    layers: tuple[LayerSignal, ...]
    parameters: tuple[ParameterSignal, ...] = ()
    source: Literal["predicted", "measured"] = "predicted"
    model: str = ""
    inputs: str = ""
    cotangent: str = ""
    notes: tuple[str, ...] = field(default=())

    def __getitem__(self, name: str) -> LayerSignal:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (layer.name for layer in self.layers)

    def __len__(self) -> int:
        return len(self.layers)
