"""How far a predicted profile is from networks that are measured one by one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fanin.theory.profile import Estimate, SignalProfile

WAYS = ("forward", "backward")
NOTHING = 1e-9
"""Of the largest gradient: what is 0 but for rounding, such as of a bias before a norm."""
_ROUNDING = 1e-5  # of float32, where a bar is 0 because the number is known


@dataclass(frozen=True)
class Place:
    """One number of a profile and what each of some networks has in its place.

    Args:
        name: The layer or the parameter.
        type: The layer's type.
        predicted: What is predicted.
        measured: One number a network.
    """

    name: str
    type: str
    predicted: Estimate
    measured: NDArray[np.float64]

    @property
    def ratio(self) -> float:
        """The mean of what is measured over what is predicted; infinite where that is no second moment."""
        mean = float(np.mean(self.measured))
        return mean / self.predicted.value if self.predicted.value > 0 else math.inf

    @property
    def relative(self) -> NDArray[np.float64]:
        """How far each network is from their mean, over the mean."""
        return self.measured / np.mean(self.measured) - 1

    @property
    def sigmas(self) -> NDArray[np.float64]:
        """How far each network is from the prediction, in predicted standard deviations of one network."""
        bar = self.predicted.bar(1) + _ROUNDING * abs(self.predicted.value)
        return (self.measured - self.predicted.value) / bar


@dataclass(frozen=True)
class Miss:
    """How far the prediction of a ratio is off.

    Args:
        name: Where.
        log: Logarithm of measured over predicted.
        error: Its standard error, which chance leaves to so many networks.
    """

    name: str
    log: float
    error: float

    def beyond(self, goal: float) -> bool:
        """Return whether it is farther off than a goal, and not by chance alone."""
        return abs(self.log) - 2 * self.error > math.log1p(goal)


def places(predicted: SignalProfile, measured: Sequence[SignalProfile], way: str) -> list[Place]:
    """Return second moments of all layers, "forward" or "backward"."""
    networks = [{layer.name: getattr(layer, way) for layer in one.layers} for one in measured]
    return [
        Place(layer.name, layer.type, mine.q, np.array([one[layer.name].q.value for one in networks]))
        for layer in predicted.layers
        if (mine := getattr(layer, way)) is not None
        and all(one.get(layer.name) is not None for one in networks)
    ]


def gradients(predicted: SignalProfile, measured: Sequence[SignalProfile]) -> list[Place]:
    """Return E[dw^2] of all parameters whose gradient is more than rounding."""
    networks = [
        {one.name: one.gradient for one in profile.parameters if one.gradient} for profile in measured
    ]
    found = [
        Place(one.name, "", one.gradient, np.array([net[one.name].value for net in networks]))
        for one in predicted.parameters
        if one.gradient is not None and all(one.name in net for net in networks)
    ]
    largest = max((float(np.mean(one.measured)) for one in found), default=0.0)
    return [one for one in found if np.mean(one.measured) > NOTHING * largest]


def steps(chain: Iterable[Place]) -> list[Miss]:
    """Return how far ratios of neighbours are off; of the first place, what it is itself."""
    chain = list(chain)
    return [*levels(chain[:1]), *(_step(one, other) for one, other in pairwise(chain))]


def levels(several: Iterable[Place]) -> list[Miss]:
    """Return how far places are off, each for itself."""
    return [Miss(one.name, _log(one.ratio), _error(one.relative)) for one in several]


def matching(pattern: str) -> Callable[[Place], bool]:
    """Return whether a place has a name of a pattern."""
    compiled = re.compile(pattern)
    return lambda place: compiled.fullmatch(place.name) is not None


def _step(one: Place, other: Place) -> Miss:
    return Miss(other.name, _log(other.ratio) - _log(one.ratio), _error(other.relative - one.relative))


def _log(ratio: float) -> float:
    return math.log(ratio) if ratio > 0 else -math.inf


def _error(relative: NDArray[np.float64]) -> float:
    return float(np.std(relative, ddof=1)) / math.sqrt(len(relative))
