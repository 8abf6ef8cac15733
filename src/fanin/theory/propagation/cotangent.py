"""Gradients with respect to a value: sums of known factors times independent normal populations."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from fanin.theory.propagation.covariance import Covariance, alike, covariance
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.evening import product
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts
from fanin.theory.propagation.signal import STILL
from fanin.theory.propagation.sums import traces

_SIGNALS = "signals"
"""The population of what is known of a gradient from the signals: 1 everywhere."""
_FEW = 8, 64
"""Rows that are enough to tell how much chance there is: fewest and most."""
_NUMBERS = 2_000_000
"""Of all pairs of places of these rows, for the sake of time."""


class Curvature(NamedTuple):
    """Second derivatives H_j of what is differentiated, with respect to channels at place j, of two places.

    Args:
        products: E[tr H_j H_j'] / channels, which is dE[g g'] / dE[x x'].
        traces: E[tr H_j tr H_j'].
    """

    products: Covariance
    traces: Covariance

    def times(self, products: Covariance | float, traces: Covariance | float) -> Curvature:
        """Return it with factors."""
        return Curvature(self.products * products, self.traces * traces)

    def plus(self, other: Curvature) -> Curvature:
        """Return that of the sum of two independent terms."""
        return Curvature(self.products + other.products, self.traces + other.traces)


@dataclass(frozen=True, eq=False)
class Part:
    """A factor times a normal population of mean 0 that knows nothing of the signals.

    Args:
        slope: The factor, (rows, samples, points), 1 where all are the same.
        inner: The population's second moments between places.
        population: Equal for parts of the same population, whose factors add up row by row.
        known: Whether the population is 1 everywhere: the factor is the gradient.
        noise: Relative changes of the population's second moment in imagined networks, by the chance of so
            few channels, (2, IMAGINED).
        curvature: Of what the population is the gradient of.
        drawn: A population that knows nothing of the signals, and the factors of it since it was drawn, of
            which the gradient is the product; None where it is something else.
    """

    slope: Array
    inner: Covariance
    population: object = field(default_factory=object)
    known: bool = False
    noise: Array = field(default_factory=lambda: STILL)
    curvature: Curvature | None = None
    drawn: tuple[Array, Array] | None = None

    @classmethod
    def of_signals(cls, values: Array, places: Places) -> Part:
        """Return what is known of a gradient from the signals, which adds up row by row.

        Args:
            values: The gradient, (rows, samples, points).
            places: Of the points.
        """
        return cls(values, np.ones(_shape(places)), population=_SIGNALS, known=True)

    def times(self, factor: Array, *, independent: bool = False) -> Part:
        """Return it times a factor of each element, of which what was drawn knows nothing.

        Args:
            factor: The factor.
            independent: Whether it knows nothing of the factors before, either.
        """
        if self.drawn is None:
            return replace(self, slope=product(self.slope, factor) if independent else self.slope * factor)
        population, before = self.drawn
        factors = product(before, factor) if independent else before * factor
        return replace(self, slope=product(population, factors), drawn=(population, factors))

    def everywhere(self, points: int) -> Part:
        """Return the same gradient at so many points, as all positions have it whose mean is taken."""
        inner = np.broadcast_to(self.inner, (SAMPLES, points, SAMPLES, points)).copy()
        if self.known:
            return replace(self, inner=inner)
        return Part(self.slope, inner, ("everywhere", self.population, points), noise=self.noise)

    def with_slope(self, slope: Array) -> Part:
        """Return it with another factor."""
        return replace(self, slope=slope, drawn=None)

    @property
    def is_of_signals(self) -> bool:
        """Whether it is what is known of a gradient from the signals."""
        return self.population == _SIGNALS

    @property
    def size(self) -> float:
        """E[g^2]."""
        return float(np.mean(self.slope**2)) * _level(self.inner)

    def covariance(self, places: Places) -> Covariance:
        """Return E[g g'] = E[slope slope'] inner."""
        if self.slope.size == 1:
            return self.inner * float(self.slope.flat[0]) ** 2
        whole = _whole(self.slope, places)
        found = (whole.T @ whole / len(whole)).reshape(self.inner.shape)
        return alike(found * self.inner, places)


@dataclass(frozen=True, eq=False)
class Cotangent:
    """The gradient with respect to a value, as the sum of independent parts.

    Since forward and backward populations are independent, no gradient has to be drawn: what elements do to
    it is in the factors, what sums over channels do is in the second moments.

    Args:
        parts: What it is the sum of.
        chance: Relative changes of its second moment in imagined networks.
        drift: Logarithms of what slopes change in imagined networks, whose signals are larger or smaller,
            (IMAGINED,).
        doubt: As a signal's.
        met: What a layer's E[dw^2] gains, relatively, by how far its inputs at two places overlap by chance
            and the gradient with them, over the variance of that.
    """

    parts: tuple[Part, ...]
    chance: Array = field(default_factory=lambda: STILL)
    drift: Array = field(default_factory=lambda: STILL[0])
    doubt: float = 0.0
    met: float = 0.0
    _known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def normal(
        cls,
        inner: Covariance,
        chance: Array = STILL,
        drift: Array = STILL[0],
        doubt: float = 0.0,
        curvature: Curvature | None = None,
    ) -> Cotangent:
        """Return a gradient that is a normal population."""
        return cls((Part(np.ones((1, 1, 1)), inner, curvature=curvature),), chance, drift, doubt)

    def covariance(self, places: Places) -> Covariance:
        """Return E[g g'] between places."""
        if places not in self._known:
            found = (part.covariance(places) for part in self.parts)
            self._known[places] = sum(found, np.zeros(_shape(places)))
        return self._known[places]

    def through(self, inner: Covariance, chance: Array, curvature: Curvature | None = None) -> Cotangent:
        """Return what sums over channels make of it: a normal population, with as much drift.

        Args:
            inner: Its second moments.
            chance: Its relative changes.
            curvature: Of what it is the gradient of.
        """
        return Cotangent.normal(inner, chance, self.drift, self.doubt, curvature)

    @property
    def growth(self) -> float:
        """E[g^2] of imagined networks over that of an infinitely wide one."""
        return float(np.exp(np.mean(self.drift) + np.var(self.drift) / 2))

    def plus(self, *parts: Part) -> Cotangent:
        """Return it with more parts."""
        return replace(self, parts=_joined((*self.parts, *parts)))

    def times(self, slope: Array | float, *, independent: bool = False) -> Cotangent:
        """Return it times a factor of each element, which may know nothing of it."""
        factor = np.asarray(slope, float)
        return replace(self, parts=tuple(part.times(factor, independent=independent) for part in self.parts))

    def __add__(self, other: Cotangent) -> Cotangent:
        mine, theirs = self._size, other._size
        total = mine + theirs
        share = mine / total if total else 0.5
        chance = share * self.chance + (1 - share) * other.chance
        drift = share * self.drift + (1 - share) * other.drift
        met = share * self.met + (1 - share) * other.met
        return Cotangent(_joined((*self.parts, *other.parts)), chance, drift, met=met)

    def drawn(self, places: Places) -> dict[tuple[bool], Array]:
        """Return the populations that were drawn, by whether examples have them in common."""
        shape = SAMPLES, len(places)
        return {
            (part.population[1],): np.broadcast_to(part.slope, (len(part.slope), *shape))
            for part in self.parts
            if part.known and isinstance(part.population, tuple)
        }

    def settled(self) -> Cotangent:
        """Return the same gradient in as few parts as possible, when nothing more is added to it."""
        return replace(self, parts=_merged(self.parts))

    @property
    def noise(self) -> Array:
        """What the noise of its populations changes its second moment by, relatively."""
        return _noise(self.parts)

    @property
    def _size(self) -> float:
        return sum(part.size for part in self.parts)

    def spread(self, places: Places, examples: int) -> float:
        """Return the relative variance, from channel to channel, of the mean of g^2 over all places.

        Given the factors, g is normal with second moments C = sum slope slope' inner around what is known, a:
        E[g_i^2 g_j^2] = E[(a_i^2 + C_ii) (a_j^2 + C_jj) + 2 C_ij^2 + 4 a_i a_j C_ij].
        """
        if (places, examples) not in self._known:
            self._known[places, examples] = self._spread(places, examples)
        return self._known[places, examples]

    def _spread(self, places: Places, examples: int) -> float:
        given, known = self._rows(places)
        size = given.shape[1]
        counts = pair_counts(places, max(examples, 1)).reshape(size, size)
        counts = counts / np.sum(counts)
        own = np.diagonal(given, axis1=1, axis2=2) + known**2
        mean = np.mean(own @ np.sum(counts, axis=1))
        if not mean:
            return 0.0
        both = known[:, :, None] * known[:, None, :] / mean
        own, given = own / mean, given / mean  # squares of the smallest ones would be 0
        products = np.mean(own[:, :, None] * own[:, None, :] + 2 * given**2 + 4 * both * given, axis=0)
        return max(float(np.sum(counts * products)) - 1, 0.0)

    def spread_of_sums(self, places: Places, examples: int) -> float:
        """Return the relative variance, from channel to channel, of the square of the sum over all places.

        Given the factors s, the sum is normal with variance v = sum_ij s_i s_j C_ij: the mean of its fourth
        power is 3 E[v^2]; with normal factors Var(v) = 2 tr(S C S C), less what their means S have of it.
        """
        total, varies = 0.0, 0.0
        for part in self.parts:
            whole = np.broadcast_to(part.slope, (len(part.slope), SAMPLES, len(places)))
            means = np.mean(whole, axis=0)
            mean, squares = traces(covariance(whole, places), part.inner, places, examples)
            _, of_means = traces(means[:, :, None, None] * means, part.inner, places, examples)
            total += mean
            varies += 0.0 if part.known else 2 * max(squares - of_means, 0.0)
        return 2 + 3 * varies / total**2 if total else 0.0

    def _rows(self, places: Places) -> tuple[Array, Array]:
        """Return second moments between places given the factors, and what is known, for some channels."""
        size = SAMPLES * len(places)
        given, known = np.zeros((1, size, size)), np.zeros((1, size))
        rows = int(np.clip(_NUMBERS // size**2, *_FEW))
        for part in self.parts:
            whole = _whole(part.slope[:rows], places)
            if part.known:
                known = known + whole
                continue
            given = given + whole[:, :, None] * whole[:, None, :] * part.inner.reshape(size, size)
        return given, known


def _joined(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return parts with those of one population made one."""
    found: dict[object, Part] = {}
    for part in parts:
        before = found.get(part.population)
        found[part.population] = part if before is None else part.with_slope(before.slope + part.slope)
    return tuple(found.values())


def _folded(part: Part) -> Part:
    """Return a part whose factor, if all channels have the same, is 1: it goes into the second moments."""
    if len(part.slope) > 1 or part.slope.size == 1 == part.slope.flat[0]:
        return part
    level = np.broadcast_to(part.slope[0], part.inner.shape[:2])
    inner = part.inner * level[:, :, None, None] * level
    squared = (level[:, :, None, None] * level) ** 2
    curvature = None if part.curvature is None else part.curvature.times(squared, squared)
    return Part(np.ones((1, 1, 1)), inner, noise=part.noise, curvature=curvature)


def _merged(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return parts with those of one factor for all elements made one."""
    plain = [_folded(part) for part in parts if len(part.slope) == 1]
    if len(plain) < 2:
        return parts
    others = tuple(part for part in parts if len(part.slope) > 1)
    # A population of its own: the sum is another one than each of them.
    inner = np.sum([part.inner for part in plain], axis=0)
    curved = [part.curvature for part in plain if part.curvature is not None]
    whole = functools.reduce(Curvature.plus, curved) if curved else None
    return (Part(np.ones((1, 1, 1)), inner, noise=_noise(plain), curvature=whole), *others)


def _noise(parts: Sequence[Part]) -> Array:
    """Return the noise of a sum of parts, of which each has its share."""
    total = sum(part.size for part in parts)
    return sum((part.size / total * part.noise for part in parts), STILL) if total else STILL


def _level(inner: Covariance) -> float:
    size = inner.shape[0] * inner.shape[1]
    return float(np.trace(inner.reshape(size, size))) / size


def _whole(values: Array, places: Places) -> Array:
    return np.broadcast_to(values, (len(values), SAMPLES, len(places))).reshape(len(values), -1)


def _shape(places: Places) -> tuple[int, int, int, int]:
    return SAMPLES, len(places), SAMPLES, len(places)
