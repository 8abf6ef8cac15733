"""What goes along the edges of a graph: populations, weights, constants, and what nobody knows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fanin.graph.signal import Law
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.covariance import Covariance, covariance, second_moment
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts

if TYPE_CHECKING:
    from fanin.theory.propagation.cotangent import Cotangent

IMAGINED = 64
"""Networks whose chance is followed, in relative changes of second moments."""

STILL: Array = np.zeros((2, IMAGINED))
"""No chance at all: relative changes of E[x^2] over all places, and at one of them."""


@dataclass(frozen=True, eq=False)
class Signal:
    """Values of a layer: channels are rows, all drawn from one distribution.

    Args:
        values: (rows, samples, points); 1 where all are the same.
        places: Positions that the points stand for.
        width: Channels that the rows stand for.
        examples: Examples that the samples stand for; 1 where all are the same.
        chance: Relative changes of the second moment in imagined networks that what came before brings
            about: over all places, and at one place, (2, IMAGINED).
        noise: What the chance of its own channels adds to those, part of which is that of what it is made
            of element by element; None where it is not drawn yet.
        chain: How it comes from one normal population, if it does.
        normal: Whether rows are independent draws of a normal distribution.
        profile: Relative second moment along the channels, where it is not the same, (rows,).
        terms: Weights of each channel that made it.
        doubt: Relative variance of the second moment that rules that approximate bring about.
        overlap: Relative variance of products at two places that what came before brings about.
        exact: Whether a norm has just made the second moment what it is, so that chance has no part in it.
    """

    values: Array
    places: Places
    width: int
    examples: int
    chance: Array = field(default_factory=lambda: STILL)
    chain: Chain | None = None
    normal: bool = False
    profile: Array | None = None
    terms: float = math.inf
    doubt: float = 0.0
    overlap: float = 0.0
    exact: bool = False
    noise: Array | None = None

    @cached_property
    def covariance(self) -> Covariance:
        """E[x x'] between places, with what finite width adds to it on average."""
        return covariance(self.values, self.places) * self.correction

    @cached_property
    def correction(self) -> float:
        """E[x^2] of imagined networks over that of an infinitely wide one: 1 + F'' Var(q) / 2 F."""
        if self.chain is None or self.normal or not np.any(self.chain.chance):
            return 1.0
        step = min(float(np.std(self.chain.chance[1])), 0.9)
        if step < 1e-4:
            return 1.0
        here, more, less = self.chain.second_moments(0.0, step, -step)
        return (more + less) / (2 * here) if here else 1.0

    @cached_property
    def q(self) -> float:
        """E[x^2]."""
        return second_moment(self.covariance, self.places)

    @cached_property
    def mean(self) -> float:
        """E[x]."""
        values = np.broadcast_to(self.values, (len(self.values), SAMPLES, len(self.places)))
        return float(np.mean(values, axis=(0, 1)) @ self.places.share / self.places.total)

    @cached_property
    def own_chance(self) -> Array:
        """Relative variance of the mean of x^2 that so many channels have, given all before, (2,).

        However many places there are, a channel's x^2 goes with the squares of its weights, whose sum has the
        relative variance 2 / terms.
        """
        if self.exact:
            return np.zeros(2)
        return (spread(self.values, self.places, self.examples) + 2 / self.terms) / max(self.width, 1)


def spread(values: Array, places: Places, examples: int) -> Array:
    """Return relative variances of x^2 from channel to channel: of the mean over all places, of one, (2,)."""
    if len(values) == 1:
        return np.zeros(2)
    whole = np.broadcast_to(values**2, (len(values), SAMPLES, len(places))).reshape(len(values), -1)
    products = whole.T @ whole / len(whole)
    counts = pair_counts(places, max(examples, 1)).reshape(products.shape)
    counts = counts / np.sum(counts)
    weights = np.sum(counts, axis=1)
    mean = float(np.mean(whole, axis=0) @ weights)
    if mean == 0:
        return np.zeros(2)
    found = np.array([np.sum(counts * products), np.diag(products) @ weights])
    return np.maximum(found / mean**2 - 1, 0.0)


@dataclass(frozen=True)
class Kernel:
    """Values that come from weights alone.

    Args:
        law: Their distribution; None where nobody knows.
        shape: Their shape.
        weight: The parameter that they are, or are made of by a factor.
        factor: That factor.
        parts: Laws of equal parts along an axis.
        axis: The axis of the parts.
    """

    law: Law | None
    shape: tuple[int, ...]
    weight: str = ""
    factor: float = 1.0
    parts: tuple[Law, ...] = ()
    axis: int = 0


@dataclass(frozen=True, eq=False)
class Fixed:
    """A constant.

    Args:
        array: Its values, (), where all are the same, or whole; None where only moments are known.
        shape: Its shape.
        mean: Mean of its values.
        second: Their second moment.
        mask: "causal" for a mask of what comes later.
    """

    array: Array | None
    shape: tuple[int, ...]
    mean: float = 0.0
    second: float = 0.0
    mask: str = ""


@dataclass(frozen=True)
class Tokens:
    """Whole numbers that look up rows of tables.

    Args:
        places: Their positions.
        examples: Their examples.
        repeats: Probability that two of them are the same, at different places; None for 1 / rows.
    """

    places: Places
    examples: int
    repeats: float | None


@dataclass(frozen=True)
class Unknown:
    """What nobody knows, and why.

    Args:
        reason: The op that is not understood, and where.
    """

    reason: str


Value = Signal | Kernel | Fixed | Tokens | Unknown
Contributions = list["Cotangent | None"]
Pullback = Callable[["Cotangent"], Contributions]


class Result(NamedTuple):
    """What a rule makes of a node: its value, and how gradients go from it to each input.

    Args:
        value: The node's value.
        pullback: From the gradient with respect to the value to those with respect to the inputs; None
            where nobody knows.
    """

    value: Value
    pullback: Pullback | None = None
