"""Products of populations that know nothing of each other, with the second moments that chance takes away.

Of independent x and y, E[x^2 y^2] = E[x^2] E[y^2]; the mean over rows of the product of two populations is so
only nearly, and the less the fewer rows are large.
"""

from __future__ import annotations

import numpy as np

from fanin.theory.propagation.draws import Array


def product(one: Array, other: Array) -> Array:
    """Return the product of independent populations.

    Args:
        one: (rows, samples, points), or 1 where all are the same.
        other: The same.

    Example:
        >>> one, other = np.array([[[1.0]], [[3.0]]]), np.array([[[4.0]], [[2.0]]])
        >>> found = product(one, other)
        >>> round(float(np.mean(found**2)), 9), round(float(found[1, 0, 0] / found[0, 0, 0]), 9)
        (50.0, 1.5)
    """
    found = one * other
    if len(one) == 1 or len(other) == 1:
        return found
    wanted, drawn = np.mean(one**2, axis=0) * np.mean(other**2, axis=0), np.mean(found**2, axis=0)
    return found * np.sqrt(np.divide(wanted, drawn, out=np.ones_like(drawn), where=drawn > 0))


def evened(some: Array, whole: Array) -> float:
    """Return the factor by which some rows have the second moment of all."""
    found, wanted = float(np.mean(some**2)), float(np.mean(whole**2))
    return float(np.sqrt(wanted / found)) if len(some) > 1 and found else 1.0
