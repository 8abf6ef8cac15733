"""How many seeds a conclusion takes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

FEWEST_SEEDS = 8
"""With fewer, no test has power after correction, and bootstrap intervals cover too little."""


def seeds_to_conclude(alpha: float) -> int:
    """Return the fewest seeds with which a test can conclude: at least 8, and enough to reach alpha at all.

    The smallest p of a sign-flip test is 2^(1 - n).

    Example:
        >>> seeds_to_conclude(0.05), seeds_to_conclude(0.001)
        (8, 11)
    """
    return max(FEWEST_SEEDS, math.ceil(1 - math.log2(alpha)))


def seeds_to_tell(
    differences: NDArray[np.float64], *, comparisons: int, alpha: float, power: float = 0.8
) -> int | None:
    """Return about how many seeds would tell two schemes apart, if their difference is what was observed.

    By the normal approximation with Bonferroni's correction and Guenther's term for the unknown sd,

        n = ((z_(1 - alpha / 2m) + z_power) sd / |mean|)^2 + z_(1 - alpha / 2m)^2 / 2

    The observed difference is itself uncertain, and few seeds say little about it: an estimate, no promise.

    Args:
        differences: Paired differences of scores, (seeds,).
        comparisons: Number m of schemes tested against one.
        alpha: Family-wise error rate.
        power: Chance to tell them apart.

    Returns:
        Seeds, at least as many as a test needs; None with fewer than 3 differences, with no difference,
        or if it would take more than 10,000.

    Example:
        >>> import numpy as np
        >>> seeds_to_tell(np.array([1.0, 2.0, 3.0]) - 1.5, comparisons=1, alpha=0.05)
        34

    References:
        Guenther (1981), Sample size formulas for normal theory t tests, Am. Stat. 35.
    """
    if len(differences) < 3 or not np.isfinite(differences).all() or np.mean(differences) == 0:
        return None
    least = seeds_to_conclude(alpha)
    size = abs(float(np.mean(differences))) / max(float(np.std(differences, ddof=1)), 1e-300)
    critical = float(ndtri(1 - alpha / (2 * comparisons)))
    count = ((critical + float(ndtri(power))) / size) ** 2 + critical**2 / 2
    return max(least, math.ceil(count)) if count <= 10_000 else None
