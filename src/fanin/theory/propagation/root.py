"""Normal populations, of which values are functions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from fanin.theory.propagation.draws import Array, levels

_ROUNDING = 1e-9


class Normal(NamedTuple):
    """Normal distributions at places.

    Args:
        mean: (samples, points).
        deviation: Their standard deviations, likewise.
    """

    mean: Array
    deviation: Array


@dataclass(frozen=True, eq=False)
class Root:
    """A normal population.

    Args:
        values: (rows, samples, points).
    """

    values: Array

    @cached_property
    def normal(self) -> Normal | None:
        """What it is distributed by at each place; None where its numbers are not the `levels` of that.

        Those have no third moment, and all the same fourth one.
        """
        mean = np.mean(self.values, axis=0)
        centred = self.values - mean
        squares = centred**2
        variance = np.mean(squares, axis=0)
        if not np.all(variance > 0):
            return None
        third = np.mean(squares * centred, axis=0) / variance**1.5
        fourth = np.mean(squares**2, axis=0) / variance**2 - np.mean(levels(len(centred)) ** 4)
        even = max(np.max(np.abs(third)), np.max(np.abs(fourth))) < _ROUNDING
        return Normal(mean, np.sqrt(variance)) if even else None
