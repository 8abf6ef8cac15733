"""Layers from what went through them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fanin.frameworks import units
from fanin.frameworks.units import Array
from fanin.rules.vitals import Layer, Source

_DYING = ("relu", "relu6")
_RECENT = 4


@dataclass(frozen=True, eq=False)
class Seen:
    """What went through one call of a layer, or of a function inside of one.

    Args:
        name: Path of the layer.
        type: Its type.
        kind: As of `Layer`.
        value: The output, the batch first.
        gradient: With respect to it; None where none arrives.
        axes: Axes of its units.
        function: Of activations, the function's name.
        read: What a product with weights reads.
        weight: What it multiplies that with.
        weight_axes: The axes of the units there.
        attention: The logits of an attention, the keys last.
        where: Where it is written.
        gates: Of a recurrent layer, the share of its gates' values that are saturated.
    """

    name: str
    type: str
    kind: str
    value: Array
    gradient: Array | None = None
    axes: tuple[int, ...] = (-1,)
    function: str = ""
    read: Array | None = None
    weight: Array | None = None
    weight_axes: tuple[int, ...] = ()
    attention: Array | None = None
    where: Source = field(default_factory=Source)
    gates: float | None = None


def layers_of(several: Iterable[Seen]) -> tuple[Layer, ...]:
    """Return layers, with "#2" after the name of what is seen a second time.

    Args:
        several: In the order of execution.
    """
    return tuple(replace(layer_of(seen), name=name) for name, seen in numbered(several))


def numbered(several: Iterable[Seen]) -> Iterator[tuple[str, Seen]]:
    """Yield the name of each call with what was seen of it."""
    calls: dict[tuple[str, str], int] = {}
    for seen in several:
        key = seen.name, seen.function or seen.kind
        calls[key] = calls.get(key, 0) + 1
        yield seen.name if calls[key] == 1 else f"{seen.name}#{calls[key]}", seen


def axes_like(shape: tuple[int, ...], before: Sequence[Seen], usual: int = -1) -> tuple[int, ...]:
    """Return the axes of the units of an activation: those of a layer with weights that has its shape.

    Args:
        shape: Of the activation.
        before: What was seen before it.
        usual: The axis of the units where none has.
    """
    recent = [seen for seen in before if seen.kind == "weights"][-_RECENT:]
    same = (seen.axes for seen in reversed(recent) if seen.value.shape == shape)
    return next(same, (usual,))


def layer_of(seen: Seen) -> Layer:
    """Return the statistics of what went through a layer."""
    value, back = seen.value, seen.gradient
    rows = units.by_unit(value, seen.axes)
    layer = Layer(
        seen.name,
        seen.type,
        seen.kind,
        tuple(value.shape),
        units.spread(value),
        units=len(rows),
        places=rows.shape[1],
        function=seen.function,
        gradient=None if back is None else units.spread(back),
        dtype=str(value.dtype),
        where=seen.where,
    )
    if seen.kind == "weights":
        return _with_twins(_weighted(layer, seen), seen, rows)
    if seen.kind == "activation":
        return _activated(layer, seen, rows)
    if seen.kind == "recurrent":
        return _with_twins(_gated(_activated(layer, seen, rows), seen), seen, rows)
    if seen.attention is not None:
        return replace(layer, entropy=units.entropy(seen.attention))
    return layer


def _weighted(layer: Layer, seen: Seen) -> Layer:
    cosine, varied = units.similarity(seen.value)
    source = None if seen.read is None else units.spread(seen.read).scale
    zeros = units.zeros(seen.value)
    return replace(layer, source=source, similarity=cosine, variation=varied, zeros=zeros)


def _activated(layer: Layer, seen: Seen, rows: Array) -> Layer:
    name = seen.function
    return replace(
        layer,
        zeros=units.zeros(seen.value),
        saturated=units.saturated(seen.value, name) if name in units.SATURATING else None,
        dead=units.dead(rows) if name in _DYING else None,
    )


def _gated(layer: Layer, seen: Seen) -> Layer:
    """Return a recurrent layer with what it reads, and its gates where more of them are saturated."""
    source = None if seen.read is None else units.spread(seen.read).scale
    if (seen.gates or 0.0) <= (layer.saturated or 0.0):
        return replace(layer, source=source)
    return replace(layer, source=source, function="gates", saturated=seen.gates)


def _with_twins(layer: Layer, seen: Seen, rows: Array) -> Layer:
    """Return a layer with the share of its units that are equal, forward and backward."""
    if seen.gradient is None or layer.units < 2 or not layer.output.finite:
        return layer
    outputs = units.fingerprints(rows)
    gradients = units.fingerprints(units.by_unit(seen.gradient, seen.axes))
    equal, centred = _equal_weights(seen, layer.units), units.fingerprints(rows, centred=True)
    both = units.twins(outputs, gradients)
    if not outputs.any() or not gradients.any():
        # Nothing goes through: only units with the same weights are the same.
        both = both & equal
    else:
        both = both & (outputs.any(1) | gradients.any(1))  # others are dead
    if seen.kind == "recurrent":  # all that is inside has made its outputs
        alike = units.twins(outputs) & outputs.any(1)
    else:
        alike = equal & units.twins(centred) & centred.any(1)
    return replace(layer, twins=float(both.mean()), alike=float(alike.mean()))


def _equal_weights(seen: Seen, number: int) -> Array:
    none = np.zeros(number, bool)
    if seen.weight is None or not seen.weight_axes:
        return none
    rows = units.by_unit(seen.weight, seen.weight_axes)
    if len(rows) != number:
        return none
    return units.twins(units.fingerprints(rows)) if rows.any() else ~none


@functools.cache
def where_of(kind: type) -> Source:
    """Return where a class is written; nowhere where that is no file of Python."""
    try:
        return Source(inspect.getsourcefile(kind) or "", inspect.getsourcelines(kind)[1])
    except (OSError, TypeError):
        return Source()
