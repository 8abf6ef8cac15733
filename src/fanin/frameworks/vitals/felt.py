"""How many steps of a sequence have a part in the first steps of training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fanin.rules.vitals import Felt

_EPSILON = float(np.finfo(np.float32).eps)


def felt(scales: Sequence[float]) -> Felt | None:
    """Return how many steps have a gradient that a sum of all of them in float32 would not lose.

    None where gradients do not fade: they are cut off, as behind a mask or a `detach`, or there are none.

    Args:
        scales: sqrt(E[g^2]) of the gradient with respect to each step of the inputs.

    Example:
        >>> felt([1e-9, 1e-6, 1e-3, 1.0])
        Felt(steps=3, of=4)
    """
    values = np.asarray(scales, np.float64)
    if not values.size or not np.isfinite(values).all() or not values.max():
        return None
    kept = values > _EPSILON * values.max()
    faded = ~kept & (values > 0)
    return Felt(int(kept.sum()), len(values)) if kept.all() or faded.any() else None
