"""What weights are distributed by, as far as their values tell."""

from __future__ import annotations

from dataclasses import replace

from fanin.graph.signal import Law, Weight

_SIGMAS = 5.0


def centred(weight: Weight) -> Law | None:
    """Return a weight's law, with mean 0 where so many values' mean may be a chance of theirs.

    Example:
        >>> centred(Weight("w", (100,), Law(0.01, 1.0))).mean
        0.0
    """
    law = weight.law
    if law is None or not law.mean or law.mean**2 * weight.size > _SIGMAS**2 * law.variance:
        return law
    return replace(law, mean=0.0, variance=law.second_moment)
