r"""Sums over all places of products of two signals, as gradients of weights are, and their chance.

    dW = sum_j g_j x_j^T,  E[dW^2] = tr(G K) over all pairs of places, G = E[g g'], K = E[x x']

Of n channels products g . g' / n at two places are G but for chance, which changes that by tr(G K G K) 2 / n
relative to tr(G K)^2: as if there were tr(G K)^2 / tr(G K G K) independent places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fanin.theory.propagation.covariance import Covariance, from_blocks, joined, split, to_blocks
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import Places


def concentration(one: Covariance, other: Covariance, places: Places, examples: int) -> float:
    """Return tr(G K G K) / tr(G K)^2 over all places: 1 where all are alike, 1 / n for n independent ones.

    Args:
        one: G, second moments between places.
        other: K.
        places: Of the points.
        examples: Examples that the samples stand for.

    Example:
        >>> from fanin.theory.propagation.covariance import joined
        >>> independent = joined(np.eye(2), np.zeros((2, 2)))
        >>> round(1 / concentration(independent, independent, Places((5,)), 3), 9)
        15.0
    """
    trace, squares = traces(one, other, places, examples)
    return squares / trace**2 if trace else 0.0


def traces(one: Covariance, other: Covariance, places: Places, examples: int) -> tuple[float, float]:
    """Return tr(G K) and tr(G K G K) over all places."""
    examples = max(examples, 1)
    trace, squares = 0.0, 0.0
    # In each of both, the same of a block's positions.
    for number, factor in _shared(examples):
        (own, common), (others, shared) = (_modes(split(found), factor, places) for found in (one, other))
        product, apart = common @ shared, own * others
        rest = np.asarray(places.sizes) - 1
        trace += number * float(np.trace(product) + rest @ apart)
        squares += number * float(np.sum(product * product.T) + rest @ apart**2)
    return trace, squares


def composed(one: Array, other: Array, places: Places) -> Array:
    """Return the product of two matrices over all positions, each (points, points).

    Example:
        >>> one = np.eye(2) + 1.0
        >>> composed(one, one, Places((5,))).round(9).tolist()  # of 2 on the diagonal, and 1
        [[8.0, 7.0], [7.0, 8.0]]
    """
    (own, common), (others, shared) = (_modes((each, each), 0, places) for each in (one, other))
    return _unmodes(own * others, common @ shared, places)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Second moments between all places, as their eigenvalues: sum of values x vectors vectors^T.

    Args:
        values: Eigenvalues.
        often: How often each occurs.
        places: Of the points.
        examples: Examples that the samples stand for.
    """

    values: Array
    often: Array
    places: Places
    examples: int
    _vectors: tuple[Array, ...]

    @classmethod
    def of(cls, found: Covariance, places: Places, examples: int) -> Spectrum:
        """Return the spectrum of second moments.

        Example:
            >>> from fanin.theory.propagation.covariance import joined
            >>> found = Spectrum.of(joined(np.eye(2), np.zeros((2, 2))), Places((5,)), 3)
            >>> found.values.tolist(), found.often.tolist()
            ([1.0, 1.0, 1.0, 1.0], [1.0, 4.0, 2.0, 8.0])
        """
        values, often, vectors = [], [], []
        for number, factor in _shared(examples):
            own, common = _modes(split(found), factor, places)
            each, basis = np.linalg.eigh((common + common.T) / 2)
            values += [each, own]
            often += [np.full(len(own), float(number)), number * (np.asarray(places.sizes) - 1.0)]
            vectors.append(basis)
        return cls(np.concatenate(values), np.concatenate(often), places, examples, tuple(vectors))

    def changed(self, values: Array) -> Covariance:
        """Return second moments with other eigenvalues."""
        parts = np.split(values, 2 * len(self._vectors))
        found = [
            _unmodes(own, (basis * each) @ basis.T, self.places)
            for each, own, basis in zip(parts[::2], parts[1::2], self._vectors, strict=True)
        ]
        together, against = found[0], found[-1]
        apart = (together - against) / self.examples
        return joined(against + apart, apart)


def _shared(examples: int) -> list[tuple[int, int]]:
    """Return what all examples have in common, and what they differ by: how often, and the sign between."""
    return [(1, examples - 1), (examples - 1, -1)][: 2 if examples > 1 else 1]


def _unmodes(own: Array, common: Array, places: Places) -> Array:
    sizes = np.sqrt(np.asarray(places.sizes, float))
    apart = (common - np.diag(own)) / np.outer(sizes, sizes)
    return from_blocks(own + np.diag(apart), apart, places)


def _modes(found: tuple[Array, Array], factor: float, places: Places) -> tuple[Array, Array]:
    """Return a matrix over all positions as what a block's positions differ by, and as their means."""
    same, apart = to_blocks(found[0] + factor * found[1], places)
    own = same - np.diag(apart)
    sizes = np.sqrt(np.asarray(places.sizes, float))
    return own, np.outer(sizes, sizes) * apart + np.diag(own)
