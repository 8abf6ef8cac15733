r"""What norms take away: of values their mean, of gradients that and what goes along the normalized values.

    g_x = g - E[g] - y E[g y],  E[g_x g_x'] = E[g g'] - (m_i + m_j - m + s_ij + s_ji - E[y y'] a) / n

of gradients that know nothing of the signals, and means over n channels and all places: m_i and m are those
of E[g g'] over one place and both, s_ij is that over k of E[g_i g_k] E[y_k y_j], a that over both of E[g g']
E[y y'].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fanin.theory.propagation.cotangent import Part
from fanin.theory.propagation.covariance import Covariance, covariance, joined, split, to_blocks
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts
from fanin.theory.propagation.signal import Signal
from fanin.theory.propagation.sums import composed

_RANK = 1e-9
_LEAST = 1e-3  # of slopes' second moments: what is less says nothing of the population


def with_moments(values: Array, places: Places, wanted: Covariance) -> Array:
    """Return values with other second moments: the least change that gives them these.

    From K to C that is K^-1/2 (K^1/2 C K^1/2)^1/2 K^-1/2.

    Args:
        values: A population of mean 0, (rows, samples, points).
        places: Of the points.
        wanted: C.

    References:
        Olkin and Pukelsheim (1982), The distance between two random vectors with given dispersion matrices.
    """
    size = SAMPLES * len(places)
    found = covariance(values, places).reshape(size, size)
    root, inverse = _power(found, 0.5), _power(found, -0.5)
    change = inverse @ _power(root @ wanted.reshape(size, size) @ root, 0.5) @ inverse
    whole = np.broadcast_to(values, (len(values), SAMPLES, len(places))).reshape(len(values), size)
    return (whole @ change).reshape(-1, SAMPLES, len(places))


def _power(matrix: Array, power: float) -> Array:
    """Return a power of second moments, of those directions that there are."""
    values, vectors = np.linalg.eigh(matrix)
    some = values > _RANK * np.max(values)
    return (vectors[:, some] * values[some] ** power) @ vectors[:, some].T


@dataclass(frozen=True)
class Statistic:
    """What a mean of a norm is taken over, of one channel.

    Args:
        places: Positions, all of them.
        examples: Of all of which it is one mean; 1 where each has its own.
    """

    places: Places
    examples: int = 1

    def mean(self, found: Covariance) -> Covariance:
        """Return the mean over all pairs of places; where each example has its own, over those of any two."""
        counts = self._counts
        if self.examples > 1:
            return np.full_like(found, np.sum(counts * found) / np.sum(counts))
        totals = (np.sum(count * each) for count, each in zip(split(counts), split(found), strict=True))
        same, apart = (total / self.places.total**2 for total in totals)
        ones = np.ones((len(self.places),) * 2)
        return joined(same * ones, apart * ones)

    def level(self, found: Covariance) -> Covariance:
        """Return what subtracting the mean takes away: m_i + m_j - m."""
        if self.examples > 1:
            weights = np.sum(self._counts, axis=(2, 3))
            rows = np.sum(self._counts * found, axis=(2, 3)) / weights
            return rows[:, :, None, None] + rows[None, None] - float(np.sum(rows * weights) / np.sum(weights))
        pairs, (same, apart) = self.places.pairs, split(found)
        each = np.sum(pairs, axis=1)
        weights = each / np.sum(pairs)
        inside, between = np.sum(pairs * same, axis=1) / each, apart @ weights
        return joined(
            inside[:, None] + inside[None] - float(inside @ weights),
            between[:, None] + between[None] - float(between @ weights),
        )

    def taken(
        self, found: Covariance, of_products: Covariance, of_values: Covariance, *, centred: bool = True
    ) -> Covariance:
        """Return what is taken away of E[g g'].

        Args:
            found: E[g g'].
            of_products: E[g y g' y'].
            of_values: E[y y'].
            centred: Whether the mean is subtracted.
        """
        along = self._composed(found, of_values)
        # As if gradients knew nothing of the values; and what is more if they do.
        more = self.mean(of_products) - 2 * self.mean(found * of_values)
        taken = along + along.transpose(2, 3, 0, 1) + of_values * more
        return taken + self.level(found) if centred else taken

    def along(self, found: Covariance, of_values: Covariance) -> Covariance:
        """Return what goes along y y', of what gradients of places have for themselves alone.

        Of these E[g_i H] = c y_i and E[H^2] = c E[y^2], H = E[g y]: that is 2 c - c E[y^2].
        """
        sizes, whole = np.asarray(self.places.sizes), self.places.total
        (same, apart), (beside, beyond) = (to_blocks(each, self.places) for each in split(found))
        own = same - np.where(sizes > 1, np.diag(apart), 0.0)
        if self.examples > 1:
            own = own - beside + np.where(sizes > 1, np.diag(beyond), 0.0)
        values = to_blocks(split(of_values)[0], self.places)[0]
        mean = float(values @ sizes) / whole
        size = float(own * values @ sizes) / whole**2 / self.examples
        level = np.full((len(self.places),) * 2, size * (2 / mean - 1))
        return joined(level, level if self.examples > 1 else 0 * level)

    def _composed(self, found: Covariance, of_values: Covariance) -> Covariance:
        """Return the mean over k of E[g_i g_k] E[y_k y_j], where k is a place of one mean with j."""
        (same, apart), (within, beyond) = split(found), split(of_values)
        both, other = (self._product(each, within) for each in (same, apart))
        if self.examples > 1:
            crossed = self._product(apart, beyond)
            both, other = (
                both + (self.examples - 1) * crossed,
                other + self._product(same, beyond) + (self.examples - 2) * crossed,
            )
        return joined(both, other) / self.examples

    def _product(self, one: Array, other: Array) -> Array:
        return composed(one, other, self.places) / self.places.total

    @cached_property
    def _counts(self) -> Array:
        return pair_counts(self.places, self.examples if self.examples > 1 else SAMPLES)


def without_means(part: Part, y: Signal, over: Statistic, *, centred: bool = True, channels: int = 1) -> Part:
    """Return a gradient without its means, up to the factor 1 / sd; what was known of it is known no more.

    Args:
        part: With respect to normalized values.
        y: The normalized values.
        over: What a mean is taken over.
        centred: Whether the mean is subtracted.
        channels: That a mean is over.
    """
    found, products = (each.covariance(y.places) for each in (part, part.times(y.values)))
    return _less(part, over.taken(found, products, y.covariance, centred=centred) / channels, y.places)


def with_projection(part: Part, y: Signal, over: Statistic) -> tuple[Part, ...]:
    """Return the same of one channel, with what goes along its values as a part by itself, a negative one.

    What reads it then knows of its rows: of a function's slopes s before a norm, sums over all places have
    E[(s - E[s] - y E[s y])^2]. Of a gradient with slopes of its own, only averages are known.
    """
    found, products = (each.covariance(y.places) for each in (part, part.times(y.values)))
    if part.known:
        # What of it goes along the values, beyond chance, is taken away as a whole.
        found = found - over.mean(products - found * y.covariance) * y.covariance
        part, products = Part(np.ones((1, 1, 1)), found), found * y.covariance
    taken = over.taken(found, products, y.covariance)
    if part.slope.size > 1:
        return (_less(part, taken, y.places),)
    along = over.along(found, y.covariance)
    return _less(part, taken - along * y.covariance, y.places), Part(np.asarray(y.values), -along)


def _less(part: Part, taken: Covariance, places: Places) -> Part:
    """Return a part that has less of E[g g'], and nothing in common with what others know of it."""
    if part.known:
        return Part(np.ones((1, 1, 1)), part.covariance(places) - taken)
    slopes = replace(part, inner=np.ones_like(part.inner)).covariance(places)
    tell = slopes > _LEAST * np.max(slopes)
    less = np.divide(taken, slopes, out=np.zeros_like(slopes), where=tell)
    return replace(part, inner=part.inner - less, population=object(), curvature=None)
