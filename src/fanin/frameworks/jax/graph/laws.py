"""What the parameters of a JAX model are distributed by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from fanin.errors import FaninError
from fanin.frameworks.jax.graph.strata import laws_of_start
from fanin.frameworks.jax.graph.trace import Call, Leaf
from fanin.graph.signal import Law, Weight


def weights_of(call: Call, laws: Mapping[str, Any]) -> list[Weight]:
    """Return the variables of a model with their laws.

    Arrays have those of their own values; descriptions those of the initializers, if these are known.

    Args:
        call: The model.
        laws: Laws that take the place of these, by name: a `Law`, or a `Weight` with its parts.

    Raises:
        FaninError: There is a law for a parameter that the model does not have.
    """
    described = [leaf for leaf in call.leaves if not _is_real(leaf.value)]
    declared: dict[str, Law | None] = {}
    if described and call.start is not None:
        wanted = [place for place, leaf in enumerate(call.leaves) if not _is_real(leaf.value)]
        found = laws_of_start(call.start(), wanted)
        declared = {call.leaves[place].name: law for place, law in zip(wanted, found, strict=True)}
    _check(laws, call.leaves)
    return [_weight(leaf, laws, declared) for leaf in call.leaves]


def _weight(leaf: Leaf, laws: Mapping[str, Any], declared: Mapping[str, Law | None]) -> Weight:
    law, source, parts, axis = None, "", (), 0
    if leaf.name in laws:
        given = laws[leaf.name]
        law, source = given if isinstance(given, Law) else given.law, getattr(given, "source", "plan")
        parts, axis = getattr(given, "parts", ()), getattr(given, "axis", 0)
    elif _is_real(leaf.value):
        law, source = of_values(leaf.value), "tensor"
    elif declared.get(leaf.name) is not None:
        law, source = declared[leaf.name], "declared"
    shape = tuple(leaf.value.shape)
    return Weight(leaf.name, shape, law, tuple(parts), axis, source, leaf.trainable, leaf.tied)


def _check(laws: Mapping[str, Any], leaves: Sequence[Leaf]) -> None:
    known = {leaf.name for leaf in leaves}
    for name in laws:
        if name not in known:
            raise FaninError(f"The model has no parameter {name!r}.", fix="make the plan for this model")


def _is_real(value: Any) -> bool:
    return isinstance(value, jax.Array | np.ndarray) and not isinstance(value, Tracer)


def of_values(value: Any) -> Law | None:
    """Return the law of an array's own values; None where they are not numbers.

    Example:
        >>> of_values(np.array([1.0, 3.0]))
        Law(mean=2.0, variance=1.0, name='', orthogonal=False)
    """
    if jnp.issubdtype(value.dtype, jax.dtypes.prng_key) or not value.size:
        return None
    array = np.asarray(value)
    if array.dtype.kind == "c":
        return None
    wide = array.astype(np.float32) if array.dtype.kind not in "fiu" or array.itemsize < 4 else array
    mean = float(np.mean(wide, dtype=np.float64))
    variance = float(np.var(wide, dtype=np.float64)) if array.size > 1 else 0.0
    if not math.isfinite(mean + variance):
        return None
    return Law(mean, variance, "constant" if variance == 0 else "")
