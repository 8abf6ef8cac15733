"""Normal numbers that are uncorrelated, row by row, with all that were drawn before: moments are matched.

Of independent columns of N rows, means of products are off by about 1 / sqrt(N), of either sign. In the sum
over all pairs of steps of a sequence, as the gradient of a bias is one, they would be most of what is wrong.
"""

from __future__ import annotations

import math

import numpy as np

from fanin.theory.propagation.draws import Array, Source

_SHARE = 4  # of the rows; of more columns, too little would be left that is new


class Uncorrelated:
    """A source of columns like `Normals`, that remembers them.

    Args:
        normals: Where columns come from.

    Example:
        >>> from fanin.theory.propagation.draws import Normals
        >>> source = Uncorrelated(Normals(1024))
        >>> one, other = source.take(2), source.take(3)
        >>> bool(np.max(np.abs(one.T @ other)) < 1e-9), np.round(other.T @ other / 1024, 9).tolist()[0]
        (True, [1.0, 0.0, 0.0])

    References:
        Barraquand (1995), Numerical valuation of high dimensional multivariate European securities (quadratic
        resampling).
    """

    def __init__(self, normals: Source) -> None:
        self.rows = normals.rows
        self._normals = normals
        self._before = np.empty((0, self.rows))
        self._count = 0

    def take(self, columns: int) -> Array:
        """Return the next columns, (rows, columns)."""
        drawn = self._normals.take(columns)
        if self._count + columns > self.rows // _SHARE:
            return drawn
        new = self._new(drawn)
        values, vectors = np.linalg.eigh(new.T @ new / self.rows)
        found = new @ (vectors / np.sqrt(values)) @ vectors.T
        self._keep(found / math.sqrt(self.rows))
        return found

    def _new(self, drawn: Array) -> Array:
        """Return what of columns is neither constant nor was there before."""
        centred, before = drawn - np.mean(drawn, axis=0), self._before[: self._count]
        return centred - (before.T @ (before @ centred))

    def _keep(self, columns: Array) -> None:
        count = self._count + columns.shape[1]
        if count > len(self._before):
            grown = np.empty((max(2 * count, 64), self.rows))
            grown[: self._count] = self._before[: self._count]
            self._before = grown
        self._before[self._count : count] = columns.T
        self._count = count
