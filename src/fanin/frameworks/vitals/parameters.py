"""Parameters from their values and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fanin.frameworks import units
from fanin.frameworks.units import Array
from fanin.rules.vitals import Parameter, Spread


@dataclass(frozen=True, eq=False)
class Held:
    """A parameter's arrays.

    Args:
        name: Its path.
        layer: Path of the layer that has it.
        value: Its values.
        trained: Whether it is trained.
        gradient: At step 0; None where none reaches it.
        zero: Shares of exact zeros of the gradients, as of `Parameter`.
    """

    name: str
    layer: str
    value: Array
    trained: bool = True
    gradient: Array | None = None
    zero: tuple[float, ...] = ()


def parameters_of(several: Sequence[Held]) -> tuple[Parameter, ...]:
    """Return parameters; those with the same random values have the same digest."""
    spreads = [units.spread(held.value, whole=True) for held in several]
    digests = _digests(several, spreads)
    return tuple(
        Parameter(
            held.name,
            tuple(held.value.shape),
            held.layer,
            values,
            trained=held.trained,
            digest=digests.get(held.name, ""),
            gradient=None if held.gradient is None else units.spread(held.gradient).scale,
            zero=held.zero,
            copies=0 if held.gradient is None else units.copies(held.value, held.gradient),
        )
        for held, values in zip(several, spreads, strict=True)
    )


def _digests(several: Sequence[Held], spreads: Sequence[Spread]) -> dict[str, str]:
    """Return the same text for equal arrays that are not constant, the name of the first of them."""
    alike: dict[tuple, list[Held]] = {}
    for held, values in zip(several, spreads, strict=True):
        if values.sd > 0 and values.finite:
            alike.setdefault((held.value.shape, values), []).append(held)
    found: dict[str, str] = {}
    for first, *others in alike.values():
        equal = [held for held in others if np.array_equal(held.value, first.value)]
        if equal and _is_drawn(first.value):
            found |= dict.fromkeys((held.name for held in (first, *equal)), first.name)
    return found


def _is_drawn(values: Array) -> bool:
    """Return whether values mostly differ, as random ones do and those of a pattern do not."""
    few = units.sampled(values)
    return len(np.unique(few)) > few.size / 2
