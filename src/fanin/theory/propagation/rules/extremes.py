r"""The largest or the smallest of all positions: one of them has its gradient.

    y = max_p x_p,  g_p = 1_p g,  E[g_p g_p'] = E[1_p 1_p'] E[g g']

with 1_p whether it is position p. All positions are followed, each as a point of its own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.signal import Contributions, Result, Signal

FOLLOWED = 512
"""So many positions at most."""


def of_positions(x: Signal, function: str) -> Result | None:
    """Return the largest or the smallest of all positions; None where not each of them is followed.

    Args:
        x: The value.
        function: "max" or "min".
    """
    points = len(x.places)
    if points != x.places.total:
        return None
    whole = np.broadcast_to(x.values, (len(x.values), SAMPLES, points))
    found = (np.argmax if function == "max" else np.argmin)(whole, axis=2)[..., None]
    taken = np.zeros(whole.shape)
    np.put_along_axis(taken, found, 1.0, axis=2)
    values = np.take_along_axis(whole, found, axis=2)
    y = Signal(values, Places(), x.width, x.examples, x.chance, terms=x.terms)

    def pullback(cotangent: Cotangent) -> Contributions:
        return [
            replace(cotangent, parts=tuple(part.everywhere(points).times(taken) for part in cotangent.parts))
        ]

    return Result(y, pullback)
