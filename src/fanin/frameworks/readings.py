"""What was read off one network, and what several of them make of a profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fanin.theory.profile import Backward, Estimate, Forward, LayerSignal, ParameterSignal, SignalProfile


@dataclass(frozen=True)
class Moments:
    """Moments of a tensor.

    Args:
        mean: Mean of its elements.
        q: Mean of their squares.
        c: Correlation of two examples, E[x x'] / E[x^2]; None where there are no two.
    """

    mean: float
    q: float
    c: float | None = None


@dataclass(frozen=True)
class LayerReading:
    """What went through a layer of one network.

    Args:
        name: Its path, "#2" after it for a second call.
        type: Its type.
        shape: Shape of its outputs.
        outputs: Their moments.
        gradient: Moments of the gradient with respect to them; None where there is none.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    outputs: Moments
    gradient: Moments | None = None


@dataclass(frozen=True)
class Reading:
    """What was read off one network with one batch.

    Args:
        layers: In the order in which their calls end.
        parameters: Name, shape, mean square, and that of the gradient or None, of every trained parameter.
    """

    layers: tuple[LayerReading, ...]
    parameters: tuple[tuple[str, tuple[int, ...], float, float | None], ...] = ()


def moments_of(array: NDArray, examples: int) -> Moments:
    """Return mean, mean square, and correlation of two examples over all pairs of them.

    Args:
        array: Any shape.
        examples: Size of the batch.

    Example:
        >>> moments_of(np.array([[1.0, 1.0], [1.0, 1.0]]), 2)
        Moments(mean=1.0, q=1.0, c=1.0)
    """
    wide = array.astype(np.float64)
    mean, q = float(np.mean(wide)), float(np.mean(np.square(wide)))
    rows = _by_example(wide, examples)
    if rows is None or not q:
        return Moments(mean, q)
    # The sum over all pairs is the square of the sum less the squares.
    both = float(np.mean(np.square(np.sum(rows, axis=0)))) / examples
    return Moments(mean, q, (both - q) / (examples - 1) / q)


def _by_example(array: NDArray[np.float64], examples: int) -> NDArray[np.float64] | None:
    """Return it with a row an example; None where there is one, or no axis is the batch's."""
    if examples < 2:
        return None
    for axis, size in enumerate(array.shape[:2]):  # recurrent layers may have time before the batch
        if size == examples:
            return np.moveaxis(array, axis, 0).reshape(examples, -1)
    # Windows and patches may lie within the first axis, after the batch.
    if array.ndim and array.shape[0] % examples == 0:
        return array.reshape(examples, -1)
    return None


def averaged(batches: Sequence[Reading]) -> Reading:
    """Return the mean of what one network did with several batches.

    Args:
        batches: Of the same layers.
    """
    if len(batches) == 1:
        return batches[0]
    layers = tuple(_mean_layer(same) for same in zip(*(b.layers for b in batches), strict=True))
    parameters = tuple(
        (*same[0][:3], _mean([one[3] for one in same]))
        for same in zip(*(b.parameters for b in batches), strict=True)
    )
    return Reading(layers, parameters)


def measured(
    networks: Sequence[Reading], *, model: str, inputs: str, cotangent: str, notes: tuple[str, ...] = ()
) -> SignalProfile:
    """Return the profile of what several networks of one model did.

    A value is the mean over networks, its chance the standard deviation from one to the next, its error
    that of the mean: chance / sqrt(networks).

    Args:
        networks: One reading for each.
        model: What the model is called.
        inputs: What it was given, in words.
        cotangent: What the gradients are of, in words.
        notes: What to know about it.
    """
    layers = tuple(_layer(same) for same in zip(*(n.layers for n in networks), strict=True))
    parameters = tuple(
        ParameterSignal(name, shape, _mean([one[2] for one in same]), _estimate([one[3] for one in same]))
        for same in zip(*(n.parameters for n in networks), strict=True)
        for name, shape, *_ in same[:1]
    )
    return SignalProfile(layers, parameters, "measured", model, inputs, cotangent, notes)


def _layer(same: tuple[LayerReading, ...]) -> LayerSignal:
    first, outputs = same[0], [one.outputs for one in same]
    mean, q = _estimate([x.mean for x in outputs]), _estimate([x.q for x in outputs])
    assert mean is not None
    assert q is not None
    gradients = [one.gradient for one in same if one.gradient is not None]
    back = _estimate([g.q for g in gradients]) if len(gradients) == len(same) else None
    return LayerSignal(
        first.name,
        first.type,
        first.shape,
        Forward(mean, q, _estimate([x.c for x in outputs])),
        None if back is None else Backward(back, _estimate([g.c for g in gradients])),
        where=first.name,
    )


def _estimate(values: Sequence[float | None]) -> Estimate | None:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    chance = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
    return Estimate(float(np.mean(known)), chance / np.sqrt(len(known)).item(), chance)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _mean_layer(same: tuple[LayerReading, ...]) -> LayerReading:
    first = same[0]
    gradients = [one.gradient for one in same]
    known = [gradient for gradient in gradients if gradient is not None]
    return LayerReading(
        first.name,
        first.type,
        first.shape,
        _mean_moments([one.outputs for one in same]),
        _mean_moments(known) if len(known) == len(same) else None,
    )


def _mean_moments(several: Sequence[Moments]) -> Moments:
    mean, q = (float(np.mean([getattr(one, name) for one in several])) for name in ("mean", "q"))
    return Moments(mean, q, _mean([one.c for one in several]))
