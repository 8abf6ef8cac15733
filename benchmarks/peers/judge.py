"""Whether one contender's ratios are the smallest, or within noise of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

Verdict = Literal["best", "within noise", "not"]
_RESAMPLES = 4000


def verdict(ours: Sequence[float], peers: Mapping[str, Sequence[float]]) -> Verdict:
    """Return how ratios compare with those of the best of some peers, seed by seed.

    Args:
        ours: One ratio a seed, each at least 1.
        peers: The same seeds' ratios of each peer.

    Example:
        >>> verdict([1.1, 1.2, 1.1], {"he": [1.2, 1.1, 1.1], "glorot": [2.0, 2.1, 1.9]})
        'within noise'
    """
    medians = {name: float(np.median(ratios)) for name, ratios in peers.items()}
    nearest = min(medians, key=lambda name: medians[name])
    if np.median(ours) < medians[nearest]:
        return "best"
    seeds = np.random.default_rng(0).integers(0, len(ours), (_RESAMPLES, len(ours)))
    difference = [np.median(np.log(np.asarray(ratios))[seeds], axis=1) for ratios in (ours, peers[nearest])]
    return "within noise" if np.quantile(difference[0] - difference[1], 0.025) <= 0 else "not"
