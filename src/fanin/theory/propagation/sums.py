r"""Sums over all places of products of two signals, as gradients of weights are, and their chance.

    dW = sum_j g_j x_j^T,  E[dW^2] = tr(G K) over all pairs of places, G = E[g g'], K = E[x x']

Of n channels products g . g' / n at two places are G but for chance, which changes that by tr(G K G K) 2 / n
relative to tr(G K)^2: as if there were tr(G K)^2 / tr(G K G K) independent places.
"""

from __future__ import annotations

import numpy as np

from fanin.theory.propagation.covariance import Covariance, split, to_blocks
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
    # What all examples have in common, and what they differ by; in each, the same of a block's positions.
    for number, factor in ((1, examples - 1), (examples - 1, -1)):
        if not number:
            continue
        (own, common), (others, shared) = (_modes(split(found), factor, places) for found in (one, other))
        product, apart = common @ shared, own * others
        rest = np.asarray(places.sizes) - 1
        trace += number * float(np.trace(product) + rest @ apart)
        squares += number * float(np.sum(product * product.T) + rest @ apart**2)
    return trace, squares


def _modes(found: tuple[Array, Array], factor: float, places: Places) -> tuple[Array, Array]:
    """Return a matrix over all positions as what a block's positions differ by, and as their means."""
    same, apart = to_blocks(found[0] + factor * found[1], places)
    own = same - np.diag(apart)
    sizes = np.sqrt(np.asarray(places.sizes, float))
    return own, np.outer(sizes, sizes) * apart + np.diag(own)
