"""A normal population at a few places."""

import numpy as np

from fanin.theory.propagation.covariance import joined, normal
from fanin.theory.propagation.draws import Normals

SIZES = np.array([0.5, 2.0, 9.0])
"""Second moments of its places."""


def population(mean=0.0):
    """Return (rows, samples, points) around a mean."""
    same = np.sqrt(np.outer(SIZES, SIZES)) * (0.4 + 0.6 * np.eye(3))
    return normal(Normals(4096, seed=3), joined(same, same / 2)) + mean
