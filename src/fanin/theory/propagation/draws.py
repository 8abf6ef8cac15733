"""Normal numbers that fill the space evenly: rows are channels, columns are what they are drawn for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc
from threadpoolctl import threadpool_limits

Array = NDArray[np.float64]

one_thread = threadpool_limits.wrap(limits=1)
"""For functions of many small matrices: threads that wait for each other take longer than the work."""

_TOGETHER = 32  # columns of one net; what meets in one function was mostly drawn close together


class Normals:
    """Columns of standard normal numbers, scrambled Sobol points through the inverse distribution function.

    Columns of one net are even jointly. Its rows are shuffled, so that neither other nets nor other rows
    know anything of it.

    Args:
        rows: How many numbers a column has, a power of 2.
        seed: Of the scrambling and the shuffling.

    Example:
        >>> drawn = Normals(1024, seed=0).take(3)
        >>> drawn.shape, bool(abs(np.mean(drawn[:, 0] ** 2 * drawn[:, 1] ** 2) - 1) < 0.03)
        ((1024, 3), True)

    References:
        Owen (1997), Scrambled net variance for integrals of smooth functions.
    """

    def __init__(self, rows: int, seed: int = 0) -> None:
        self.rows = rows
        self._random = np.random.default_rng(seed)
        self._left = np.empty((rows, 0))

    def take(self, columns: int) -> Array:
        """Return the next columns, (rows, columns)."""
        while self._left.shape[1] < columns:
            self._left = np.concatenate([self._left, self._net(max(_TOGETHER, columns))], axis=1)
        taken, self._left = self._left[:, :columns], self._left[:, columns:]
        return taken

    def uniform(self, shape: tuple[int, ...]) -> Array:
        """Return uniform numbers that are even along the rows, (rows, ...)."""
        order = self._random.permuted(
            np.tile(np.arange(self.rows)[:, None], (1, int(np.prod(shape)))), axis=0
        )
        return ((order + self._random.random(order.shape)) / self.rows).reshape(self.rows, *shape)

    def among(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a random whole number of each range, its end left out."""
        return self._random.integers(starts, ends)

    def shuffled(self) -> NDArray[np.int64]:
        """Return the rows in a random order."""
        return self._random.permutation(self.rows)

    def independent(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return numbers that know nothing of each other."""
        return self._random.standard_normal(shape, np.float32)

    def _net(self, columns: int) -> Array:
        points = qmc.Sobol(columns, scramble=True, rng=self._random).random(self.rows)
        # Sobol points may be 0 to rounding, where the inverse is infinite.
        inner = np.clip(points, 2.0**-33, 1 - 2.0**-33)
        return ndtri(inner)[self.shuffled()]
