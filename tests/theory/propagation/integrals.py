"""Integrals over a normal density, by SciPy."""

import itertools
import math

import numpy as np
from scipy import integrate

_REACH = 13.0


def mean_square(value, mean, deviation, kinks):
    """Return E[value(mean + deviation z)^2] of a function that is smooth between its kinks."""

    def density(z):
        square = float(value(np.array(mean + deviation * z))) ** 2
        return square * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    edges = [-_REACH, *((kink - mean) / deviation for kink in kinks), _REACH]
    ends = itertools.pairwise(np.unique(np.clip(edges, -_REACH, _REACH)))
    return sum(integrate.quad(density, *each, epsabs=0, epsrel=1e-12, limit=400)[0] for each in ends)
