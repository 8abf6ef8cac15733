"""Second moments between places, and normal populations that have them."""

from __future__ import annotations

import numpy as np

from fanin.theory.propagation.draws import Array, Source, graded
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts

Covariance = Array
"""E[x x'] between places, (samples, points, samples, points); like for like places it is the same number."""


def covariance(values: Array, places: Places) -> Covariance:
    """Return E[x x'] of a population.

    Args:
        values: (rows, samples, points), or 1 where all are the same.
        places: Of the points.
    """
    whole = np.broadcast_to(values, (len(values), SAMPLES, len(places))).reshape(len(values), -1)
    found = (whole.T @ whole / len(whole)).reshape(SAMPLES, len(places), SAMPLES, len(places))
    return alike(found, places)


def product(one: Array, other: Array, *, together: bool = True) -> Covariance:
    """Return E[x y'] of two populations whose rows belong together.

    Args:
        one: (rows, samples, points).
        other: Likewise.
        together: Whether two examples have anything in common.
    """
    rows, samples, points = one.shape
    found = (one.reshape(rows, -1).T @ other.reshape(rows, -1) / rows).reshape(
        samples, points, samples, points
    )
    return found if together else found * np.eye(samples)[:, None, :, None]


def alike(found: Covariance, places: Places) -> Covariance:
    """Return second moments with the same number wherever two pairs of places are alike."""
    same = (found[0, :, 0] + found[1, :, 1]) / 2
    apart = (found[0, :, 1] + found[1, :, 0]) / 2
    same, apart = (_blocks(matrix, places) for matrix in (same, apart))
    return _joined(same, apart)


def split(found: Covariance) -> tuple[Array, Array]:
    """Return the second moments within an example and between two, each (points, points)."""
    return found[0, :, 0], found[0, :, 1]


def _joined(same: Array, apart: Array) -> Covariance:
    points = len(same)
    found = np.empty((SAMPLES, points, SAMPLES, points))
    found[0, :, 0], found[1, :, 1], found[0, :, 1], found[1, :, 0] = same, same, apart, apart
    return found


def joined(same: Array, apart: Array) -> Covariance:
    """Return second moments from those within an example and between two, each (points, points)."""
    return _joined(same, apart)


def _blocks(matrix: Array, places: Places) -> Array:
    """Average a matrix over places that are alike: the diagonal and the rest of each pair of blocks."""
    blocks, owner = len(places.sizes), places.owner
    if max(places.counts) == 1:
        return (matrix + matrix.T) / 2
    member = np.eye(blocks)[owner]  # (points, blocks)
    diagonal = np.diag(matrix)
    sums = member.T @ matrix @ member
    own = member.T @ diagonal
    counts = np.asarray(places.counts, float)
    pairs = np.outer(counts, counts) - np.diag(counts)
    inner = np.diag(np.diag(sums) - own) + sums - np.diag(np.diag(sums))
    mean = np.divide(inner, pairs, out=np.zeros_like(inner), where=pairs > 0)
    mean = (mean + mean.T) / 2
    found = mean[np.ix_(owner, owner)]
    np.fill_diagonal(found, (own / counts)[owner])
    return found


def normal(normals: Source, wanted: Covariance) -> Array:
    """Return a normal population of mean 0 that has these second moments, (rows, samples, points).

    Sums and differences of the two examples are independent, with covariances same + apart, same - apart.
    """
    same, apart = split(wanted)
    points = len(same)
    columns = normals.take(2 * points)
    together = columns[:, :points] @ _root(same + apart).T
    against = columns[:, points:] @ _root(same - apart).T
    drawn = np.stack([together + against, together - against], axis=1)
    return graded(drawn) * np.sqrt(np.maximum(np.diag(same), 0.0))


def _root(matrix: Array) -> Array:
    """Return L with L L^T = matrix, the widest directions first; what rounding made negative counts as 0."""
    if len(matrix) == 1:
        return np.sqrt(np.maximum(matrix, 0))
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1]


def moved(found: Covariance, places: Places, target: Places) -> Covariance:
    """Return the same second moments between other points of the same blocks."""
    if places.counts == target.counts:
        return found
    return _joined(*(from_blocks(*to_blocks(matrix, places), target) for matrix in split(found)))


def to_blocks(matrix: Array, places: Places) -> tuple[Array, Array]:
    """Return second moments of blocks: of a position with itself, and of different ones.

    Args:
        matrix: Between points.
        places: Of the points.

    Returns:
        (blocks,) and (blocks, blocks); a block of one position has no others than itself.
    """
    first = np.cumsum([0, *places.counts[:-1]])
    other = first + (np.asarray(places.counts) > 1)
    apart = matrix[np.ix_(first, first)].copy()
    np.fill_diagonal(apart, matrix[first, other])
    return matrix[first, first], apart


def from_blocks(same: Array, apart: Array, places: Places) -> Array:
    """Return second moments between points from those of blocks."""
    owner = places.owner
    found = apart[np.ix_(owner, owner)]
    np.fill_diagonal(found, same[owner])
    return found


def mean_place(found: Covariance, places: Places) -> Covariance:
    """Return the mean over positions, each with itself: as if there were one."""
    share = places.share / places.total
    return _joined(*(np.reshape(np.diag(matrix) @ share, (1, 1)) for matrix in split(found)))


def over_positions(found: Covariance, places: Places) -> Covariance:
    """Return the second moments of the sum over positions."""
    counts = pair_counts(places, SAMPLES)
    same, apart = (
        np.reshape(np.sum(count * matrix), (1, 1))
        for count, matrix in zip(split(counts), split(found), strict=True)
    )
    return _joined(same, apart)


def second_moment(found: Covariance, places: Places) -> float:
    """Return E[x^2], averaged over all positions."""
    return float(np.sum(np.diag(found[0, :, 0]) * places.share) / places.total)


def between(found: Covariance, places: Places) -> float:
    """Return E[x x'] between two examples at the same position, averaged over all positions."""
    return float(np.sum(np.diag(found[0, :, 1]) * places.share) / places.total)
