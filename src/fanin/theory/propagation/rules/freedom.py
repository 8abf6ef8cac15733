r"""What norms over channels take away of gradients that know nothing of the signals: a few of n directions.

    g_x = g - E[g] - y E[g y],  E[g_x g_x'] = E[g g'] - (m_i + m_j - m + s_ij + s_ji - E[y y'] a) / n

with m_i, m the means of E[g g'] over one position and both, s_ij the mean over k of E[g_i g_k] E[y_k y_j],
and a that of E[g g'] E[y y'] over both; of a norm at each position, (3 - E[y y']^2) E[g g'] / n.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fanin.theory.propagation.cotangent import Part
from fanin.theory.propagation.covariance import Covariance, covariance, joined, split
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


def without_means(part: Part, y: Signal, channels: int, *, centred: bool, places: bool, alone: bool) -> Part:
    """Return a gradient without its means, up to the factor 1 / sd.

    Args:
        part: With respect to normalized values, independent of the signals.
        y: The normalized values.
        channels: That a mean is over.
        centred: Whether their mean is subtracted.
        places: Whether means are over all positions, too.
        alone: Whether nothing else reads what is normalized; else the population stays what it is.
    """
    if not places:
        return part.times(np.asarray(max(1 - (1 + centred) / channels, 0.0) ** 0.5))
    if not alone:
        return part
    slopes = replace(part, inner=np.ones_like(part.inner)).covariance(y.places)
    taken = _taken(part.covariance(y.places), y, centred) / channels
    tell = slopes > _LEAST * np.max(slopes)
    less = np.divide(taken, slopes, out=np.zeros_like(taken), where=tell)
    return replace(part, inner=part.inner - less, population=object())


def _taken(found: Covariance, y: Signal, centred: bool) -> Covariance:
    places, total = y.places, y.places.total
    values, within = split(y.covariance), split(y.covariance)[0]
    pairs = split(pair_counts(places, SAMPLES))
    along = []
    for mine, theirs, count in zip(split(found), values, pairs, strict=True):
        sums = composed(mine, within, places) / total
        along.append(sums + sums.T - theirs * np.sum(count * mine * theirs) / total**2)
    of_values = joined(*along)
    return of_values + level(found, places.pairs) if centred else of_values


def level(found: Covariance, pairs: Array) -> Covariance:
    """Return what subtracting the mean over positions takes away: m_i + m_j - m.

    Args:
        found: Second moments.
        pairs: Pairs of positions that pairs of points stand for.
    """
    same, apart = split(found)
    each = np.sum(pairs, axis=1)
    weights = each / np.sum(pairs)
    inside = np.sum(pairs * same, axis=1) / each
    between = apart @ weights
    return joined(
        inside[:, None] + inside[None] - float(inside @ weights),
        between[:, None] + between[None] - float(between @ weights),
    )
