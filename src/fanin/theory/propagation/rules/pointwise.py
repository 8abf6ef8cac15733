"""Functions of elements of one value or several, applied to the populations themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fanin.errors import FaninError
from fanin.graph.signal import Law, Node
from fanin.theory.propagation.alignment import common, moved
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import over_positions
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.evening import product
from fanin.theory.propagation.functions import Function, function
from fanin.theory.propagation.overlaps import mixed
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.signal import (
    STILL,
    Contributions,
    Fixed,
    Kernel,
    Result,
    Signal,
    Tokens,
    Unknown,
    Value,
)

_CHANGE = 0.1


def elementwise(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return a function of elements."""
    name, arguments = node["function"], tuple(node.get("arguments", ()))
    try:
        applied = function(name, arguments)
    except FaninError:
        return Result(Unknown(f"{node.name}: no rule for {name}"))
    return applied_to(node, inputs, applied, context)


def applied_to(node: Node, inputs: list[Value], applied: Function, context: Context) -> Result:
    """Return a function's values, of signals or of weights."""
    for value in inputs:
        if isinstance(value, Unknown):
            return Result(value)
        if isinstance(value, Tokens):
            return Result(Unknown(f"{node.name}: {node['function']} of whole numbers"))
        if isinstance(value, Kernel) and value.law is None:
            return Result(Unknown(f"{node.name}: nobody knows what {value.weight} is distributed by"))
    operands = _operands(node, inputs)
    if not any(isinstance(value, Signal) for value in inputs):
        return Result(_of_weights(node, operands, applied, context))
    return _of_signals(node, operands, applied, context)


def _operands(node: Node, inputs: list[Value]) -> list[Value | float]:
    """Return all operands, numbers among them."""
    scalars = node.get("scalars") or (None,) * len(inputs)
    left = iter(inputs)
    return [next(left) if scalar is None else float(scalar) for scalar in scalars]


# Of signals


def _of_signals(node: Node, operands: list[Value | float], applied: Function, context: Context) -> Result:
    places = common([value for value in operands if isinstance(value, Signal)])
    if places is None:
        return Result(Unknown(f"{node.name}: its inputs have different positions"))
    backs: list[Callable[[Cotangent], Cotangent]] = []
    for number, value in enumerate(operands):
        operands[number], back = _moved(value, places, context)
        backs.append(back)
    signals = [value for value in operands if isinstance(value, Signal)]
    arrays = [_array(value, node, places, context) for value in operands]
    apart = node["function"] == "multiply" and _independent(operands)
    values, slopes, chain = _applied(node, operands, arrays, applied, apart=apart)
    if not np.all(np.isfinite(values)):
        return Result(Unknown(f"{node.name}: {node['function']} of normal values is not finite"))
    width = context.size(node.name, "channel")
    chance, noise = _chances(operands, arrays, slopes, values)
    y = Signal(
        values,
        places,
        width,
        max(signal.examples for signal in signals),
        chance,
        chain=chain,
        normal=_stays_normal(node, operands),
        terms=min(signal.terms for signal in signals),
        overlap=_overlap(node, operands, slopes, values),
    )
    y = context.noisy(y, noise)

    def pullback(cotangent: Cotangent) -> Contributions:
        found: Contributions = []
        for operand, array, slope, returned in zip(operands, arrays, slopes, backs, strict=True):
            if isinstance(operand, float):
                continue
            alone = apart and len(signals) == 1 and isinstance(operand, Signal)
            back = _through(cotangent, slope, alone, node["function"])
            if isinstance(operand, Signal) and back is not None:
                back = _drifted(back, operand, operands, arrays, applied)
            if isinstance(operand, Kernel) and back is not None:
                context.of_elements(operand, node, back, y)
            is_signal = isinstance(operand, Signal) and back is not None
            summed = _summed(back, array, operand, y) if is_signal and back is not None else None
            found.append(None if summed is None else returned(summed))
        return found

    return Result(y, pullback)


def _applied(
    node: Node, operands: list[Value | float], arrays: list[Array], applied: Function, *, apart: bool
) -> tuple[Array, Sequence[Array | float], Chain | None]:
    """Return values, slopes with respect to each operand, and how they come from one normal population."""
    values = applied.value(*arrays)
    slopes = applied.slopes(*arrays, values)
    chain = _chain(operands, arrays, slopes, applied)
    if apart:
        values = product(*arrays)
    if chain is None or _stays_normal(node, operands):
        return values, slopes, chain
    chain, values, factor = chain.exact(values)
    return values, [slope * factor for slope in slopes], chain


def _through(
    cotangent: Cotangent, slope: Array | float, independent: bool, function: str
) -> Cotangent | None:
    """Return a gradient times a slope, which may know nothing of it; None where there is none."""
    if not np.any(slope):  # of a product with what is 0, the gradient is 0
        return cotangent.times(0.0) if function == "multiply" else None
    return cotangent.times(slope, independent=independent)


def _independent(operands: list[Value | float]) -> bool:
    """Return whether two operands are populations that know nothing of each other."""
    signals = [operand for operand in operands if isinstance(operand, Signal)]
    if len(signals) == 1:
        return any(isinstance(operand, Kernel) for operand in operands)
    one, other = (signal.chain for signal in signals)
    return one is not None and other is not None and one.root is not other.root


def _drifted(
    back: Cotangent, operand: Signal, operands: list[Value | float], arrays: list[Array], applied: Function
) -> Cotangent:
    """Return a gradient that knows how slopes change with the signal: as (1 + change)^power of it."""
    chain = operand.chain
    if (
        chain is None
        or not np.any(chain.chance)
        or any(isinstance(o, Signal) and o is not operand for o in operands)
    ):
        return back
    place = operands.index(operand)
    seconds = []
    for change in (_CHANGE, -_CHANGE):
        moved = [*arrays[:place], chain.scaled(change), *arrays[place + 1 :]]
        slope = applied.slopes(*moved, applied.value(*moved))[place]
        seconds.append(float(np.mean(np.square(slope))))
    if not all(seconds):
        return back
    power = math.log(seconds[0] / seconds[1]) / math.log((1 + _CHANGE) / (1 - _CHANGE))
    chance = chain.chance
    grown = np.log(np.maximum(1 + chance[1], 0.1))
    drift = back.drift + power * (grown - np.mean(grown) - np.var(grown) / 2)
    return replace(back, chance=back.chance + power * chance, drift=drift)


def _moved(
    value: Value | float, places: Places, context: Context
) -> tuple[Value | float, Callable[[Cotangent], Cotangent]]:
    if not isinstance(value, Signal):
        return value, lambda cotangent: cotangent
    return moved(value, places, context.normals)


def _array(value: Value | float, node: Node, places: Places, context: Context) -> Array:
    if isinstance(value, float):
        return np.full((1, 1, 1), value)
    if isinstance(value, Signal):
        return value.values
    assert isinstance(value, Kernel | Fixed)
    return context.laid(value, node, places)


def _summed(back: Cotangent, array: Array, operand: Value | float, y: Signal) -> Cotangent | None:
    """Return the gradient of what may have been broadcast: over positions and channels the sum of theirs.

    What all channels have in common is a mean over them; its gradient sums independent ones, and what
    it adds to theirs vanishes with the width. Of numbers without channels, such as losses, it stays.
    """
    if len(array) == 1 < len(y.values):
        return None
    if not isinstance(operand, Signal):
        return back
    channels = y.width if operand.width == 1 else 1  # a channel that weighs all others, as a router's does
    positions = operand.places.total == 1 and y.places.total > 1
    if channels == 1 and not positions:
        return back
    found = channels * back.covariance(y.places)
    return back.through(over_positions(found, y.places) if positions else found, back.chance)


def _chances(
    operands: list[Value | float], arrays: list[Array], slopes: Sequence[Array | float], values: Array
) -> tuple[Array, Array]:
    """Return relative changes of the second moment by chance that operands bring, and by that of their own.

    E[v dv] / E[v^2] for operands that change by a factor, which for normal ones is what the chance of their
    channels does too.
    """
    total = np.mean(values**2)
    chance, noise = STILL, STILL
    if not total:
        return chance, noise
    for operand, array, slope in zip(operands, arrays, slopes, strict=True):
        if isinstance(operand, Signal):
            grown = values * slope * array
            # Where sqrt(x) is 0 its slope is infinite, and x times that is 0.
            share = float(np.mean(np.where(np.isnan(grown), 0.0, grown)) / total)
            chance = chance + share * operand.chance
            noise = noise + share * (STILL if operand.noise is None else operand.noise)
    return chance, noise


def _overlap(
    node: Node, operands: list[Value | float], slopes: Sequence[Array | float], values: Array
) -> float:
    """Return how much chance is in products at two places; what a constant multiplies has as much."""
    signals = [operand for operand in operands if isinstance(operand, Signal)]
    if len(signals) == 1 and node["function"] in ("multiply", "divide") and len(operands) > 1:
        return signals[0].overlap
    pairs = zip(operands, slopes, strict=True)
    return mixed(signals, [slope for operand, slope in pairs if isinstance(operand, Signal)], values)


def _chain(
    operands: list[Value | float], arrays: list[Array], slopes: Sequence[Array | float], applied: Function
) -> Chain | None:
    """Return how a value comes from one normal population, if all of its operands do from the same one."""
    chains = [operand.chain for operand in operands if isinstance(operand, Signal)]
    first = chains[0]
    if first is None or any(chain is None or chain.root is not first.root for chain in chains):
        return None
    if any(
        isinstance(operand, Kernel) and array.size > 1
        for operand, array in zip(operands, arrays, strict=True)
    ):
        return None
    makers: list[Callable[[Array], Array]] = [
        operand.chain.function if isinstance(operand, Signal) and operand.chain else _always(array)
        for operand, array in zip(operands, arrays, strict=True)
    ]
    along = [operand.chain if isinstance(operand, Signal) else None for operand in operands]
    return replace(
        first,
        function=lambda z: applied.value(*(make(z) for make in makers)),
        slope=sum(slope * chain.slope for slope, chain in zip(slopes, along, strict=True) if chain),
        alike=all(
            chain.alike if chain else array.size == 1 for chain, array in zip(along, arrays, strict=True)
        ),
    )


def _always(array: Array) -> Callable[[Array], Array]:
    return lambda z: array


def _stays_normal(node: Node, operands: list[Value | float]) -> bool:
    """Return whether rows stay independent draws of a normal distribution."""
    signals = [value for value in operands if isinstance(value, Signal)]
    if node["function"] in ("add", "subtract"):
        return all(signal.normal for signal in signals)
    others = [value for value in operands if not isinstance(value, Signal)]
    scaled = len(signals) == 1 and all(isinstance(value, float) for value in others)
    return node["function"] in ("multiply", "divide", "negative") and scaled and signals[0].normal


# Of weights and constants


def _of_weights(node: Node, operands: list[Value | float], applied: Function, context: Context) -> Value:
    """Return a function of weights as a weight: its distribution is that of the function's values."""
    arrays = [_entries(value, context) for value in operands]
    kernels = [value for value in operands if isinstance(value, Kernel)]
    values = applied.value(*arrays)
    if not kernels:
        return Fixed(None, node.shape, float(np.mean(values)), float(np.mean(values**2)))
    if not np.all(np.isfinite(values)):
        return Unknown(f"{node.name}: {node['function']} of weights is not finite")
    law = Law(float(np.mean(values)), float(np.var(values)), node["function"])
    largest = max(kernels, key=lambda kernel: np.prod(kernel.shape))
    slopes = [float(np.sqrt(np.mean(np.square(each)))) for each in applied.slopes(*arrays, values)]
    made = replace(largest, law=law, shape=node.shape, parts=(), axis=0)
    made = replace(made, factor=slopes[operands.index(largest)] * largest.factor)
    others = {
        operand: slope
        for operand, slope in zip(operands, slopes, strict=True)
        if isinstance(operand, Kernel) and operand is not largest and _known_beside(operand, node)
    }
    context.used_with(made, others, math.prod(node.shape))
    return made


def _known_beside(kernel: Kernel, node: Node) -> bool:
    """Return whether a weight's gradient follows from that of what it is a part of.

    One that scales many others sums products of them and their gradients, which know of each other.
    """
    return node["function"] in ("add", "subtract") or math.prod(kernel.shape) == math.prod(node.shape)


def _entries(value: Value | float, context: Context) -> Array:
    if isinstance(value, float):
        return np.full((1,), value)
    if isinstance(value, Fixed):
        if value.array is not None and value.array.size == 1:
            return np.reshape(value.array, (1,))
        deviation = np.sqrt(max(value.second - value.mean**2, 0.0))
        return value.mean + deviation * context.normals.take(1)[:, 0]
    assert isinstance(value, Kernel)
    assert value.law is not None
    if not value.law.variance:
        return np.full((1,), value.law.mean)
    return value.law.mean + np.sqrt(value.law.variance) * context.normals.take(1)[:, 0]
