"""Matrices of one panel: the polynomial through a function's values at Legendre's nodes on [-1, 1]."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev, legendre

ORDER = 20
NODES, WEIGHTS = legendre.leggauss(ORDER)
CHECKS = np.concatenate([chebyshev.chebpts1(12), *((-end, end) for end in 1 - np.array([1e-3, 1e-6, 1e-9]))])
"""Where a polynomial is compared with its function: between the nodes, and close to the ends."""

COEFFICIENTS = np.linalg.inv(legendre.legvander(NODES, ORDER - 1))
"""(20, 20): from values at the nodes to Legendre coefficients."""
_SLOPES = legendre.legder(COEFFICIENTS, axis=0)

AT_CHECKS = legendre.legvander(CHECKS, ORDER - 1) @ COEFFICIENTS
"""(checks, 20): from values at the nodes to the polynomial's values at the checks."""
AT_ENDS = legendre.legvander(np.array([-1.0, 1.0]), ORDER - 1) @ COEFFICIENTS
"""(2, 20): to its values at both ends."""
SLOPE_AT_NODES = legendre.legvander(NODES, ORDER - 2) @ _SLOPES
"""(20, 20): to its derivative at the nodes."""
SLOPE_AT_ENDS = legendre.legvander(np.array([-1.0, 1.0]), ORDER - 2) @ _SLOPES
"""(2, 20): to its derivative at both ends."""


def points(edges: np.ndarray, places: np.ndarray = NODES) -> np.ndarray:
    """Return places of [-1, 1] in each of the panels between edges, (panels, places).

    Example:
        >>> points(np.array([0.0, 2.0, 6.0]), np.array([-1.0, 0.0]))
        array([[0., 1.],
               [2., 4.]])
    """
    return between(edges[:-1], edges[1:], places)


def between(low: np.ndarray, high: np.ndarray, places: np.ndarray = NODES) -> np.ndarray:
    """Return places of [-1, 1] in panels with the given ends, (panels, places)."""
    middle, half = (low + high) / 2, (high - low) / 2
    return middle[:, None] + half[:, None] * places
