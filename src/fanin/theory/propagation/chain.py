"""Values as functions of one normal population, place by place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.quadrature import Squares, second_moments
from fanin.theory.propagation.root import Normal, Root

_ROUNDING = 1e-13
_APART = 1e-3  # farther off are heavy tails, which few rows have, and gradients that are no derivatives


def _itself(values: Array) -> Array:
    return values


@dataclass(frozen=True, eq=False)
class Chain:
    """A value as a function of a normal population.

    Args:
        root: The population.
        chance: Relative changes of its second moment in imagined networks.
        function: From the root's values to the value's.
        slope: Its derivative at the root's values, (rows, samples, points), 1 where all are the same.
        alike: Whether it is the same function in all rows and at all places.
    """

    root: Root
    chance: Array
    function: Callable[[Array], Array] = _itself
    slope: Array = field(default_factory=lambda: np.ones((1, 1, 1)))
    alike: bool = True

    @classmethod
    def of(cls, values: Array, chance: Array) -> Chain:
        """Return a normal population as a function of itself.

        Example:
            >>> chain = Chain.of(np.array([[[-1.0]], [[1.0]]]), np.zeros((2, 64)))
            >>> chain.second_moments(0.0, 3.0)
            [1.0, 4.0]
        """
        return cls(Root(values), chance)

    def scaled(self, change: float) -> Array:
        """Return the values that a root with (1 + change) times the second moment leads to."""
        return self.function(self.root.values * np.sqrt(1 + change))

    def second_moments(self, *changes: float) -> list[float]:
        """Return E[x^2], averaged over all points, of values that such roots lead to."""
        found = self._squares(*np.sqrt(1 + np.array(changes)))
        if found is None:
            return [float(np.mean(self.scaled(change) ** 2)) for change in changes]
        return np.mean(found.value, axis=(1, 2)).tolist()

    def affine(self, factor: float, shift: float = 0.0) -> Chain:
        """Return the chain of factor y + shift."""
        function = self.function
        return replace(self, function=lambda z: factor * function(z) + shift, slope=factor * self.slope)

    def exact(self, values: Array) -> tuple[Chain, Array, Array | float]:
        """Return a population scaled so that its second moments, and those of its slopes, are exact.

        Means over rows are right to some 1e-6 of a function, and to 1e-5 behind some layers.

        Args:
            values: Of the chain, (rows, samples, points).

        Returns:
            Its chain, the values, and by what slopes are to be multiplied, (1, samples, points); the same and
            1 where nothing better is known.
        """
        found = self._squares(1.0)
        if found is None:
            return self, values, 1.0
        of_value, of_slope = _factor(found.value[0], values), _factor(found.slope[0], self.slope)
        return replace(self, slope=self.slope * of_slope), values * of_value, of_slope

    def _squares(self, *factors: float) -> Squares | None:
        """Return second moments for a root times each factor, (factors, samples, points); None if unknown."""
        normal = self.root.normal if self.alike else None
        if normal is None:
            return None
        return second_moments(self.function, Normal(*(np.multiply.outer(factors, each) for each in normal)))


def _factor(wanted: Array, drawn: Array) -> Array | float:
    """Return by what numbers have the second moments that they should."""
    found = np.mean(np.square(drawn), axis=0, keepdims=True)
    ratio = np.divide(wanted[None], found, out=np.ones((1, *wanted.shape)), where=found > 0)
    off = np.abs(ratio - 1)
    return np.sqrt(np.where(off < _APART, ratio, 1.0)) if np.max(off) > _ROUNDING else 1.0
