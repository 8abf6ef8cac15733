"""Sequences whose steps were not told apart before: rows of an image, or what a convolution made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fanin.theory.propagation.alignment import Windows, between, returned
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import split
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.signal import Contributions, Result, Signal


def step_by_step(
    sequences: Sequence[Signal], steps: Places, context: Context, scanned: Callable[[list[Signal]], Result]
) -> Result:
    """Return what a recurrence makes of sequences, each of whose steps has a block of its own.

    Args:
        sequences: Values of as many positions as there are steps, or of several such sequences each.
        steps: Places of one sequence.
        context: Of the run.
        scanned: What it makes of sequences that have these places.
    """
    if all(x.places.sizes == steps.sizes for x in sequences):
        return scanned(list(sequences))
    windows = [Windows(steps.total, x.places.total // steps.total) for x in sequences]
    pairs = list(zip(windows, sequences, strict=True))
    made = scanned([_apart(window.one(x, context.normals), steps, context) for window, x in pairs])
    y, pullback = made
    if not isinstance(y, Signal) or pullback is None:
        return made
    # Sequences of one example have in common what those of two have.
    outer = Windows(y.places.total, windows[0].number)
    whole = y if outer.number == 1 else _of_all(y, outer, context)

    def back(cotangent: Cotangent) -> Contributions:
        if whole is not y:
            found = between(cotangent.covariance(whole.places), whole.places, _one(y.places))
            cotangent = cotangent.through(between(found, _one(y.places), y.places), cotangent.chance)
        given = pullback(cotangent)
        first = len(given) - len(sequences)
        placed = zip(given[first:], pairs, strict=True)
        return [*given[:first], *(_to_one(each, steps, window, x) for each, (window, x) in placed)]

    return Result(whole, back)


def _one(places: Places) -> Places:
    return Places((places.total,), places.points)


def _apart(x: Signal, steps: Places, context: Context) -> Signal:
    """Return a value of positions that are alike with a block for each step."""
    values = context.population(between(x.covariance, x.places, steps) - x.mean**2) + x.mean
    chain = Chain.of(values, x.chance)
    return replace(x, values=values, places=steps, chain=chain)


def _of_all(y: Signal, windows: Windows, context: Context) -> Signal:
    """Return what came out of all sequences from what came out of one."""
    one = _one(y.places)
    inner = between(y.covariance, y.places, one)
    wanted = windows.of_all(inner, one, _far(inner))
    values = context.population(wanted - y.mean**2) + y.mean
    places, examples = windows.all(y.places.points), y.examples // windows.number
    chain = Chain.of(values, y.chance)
    return replace(y, values=values, places=places, examples=examples, chain=chain)


def _far(inner: Array) -> Array:
    """Return second moments of positions of two sequences, of one example and of two."""
    return np.repeat(split(inner)[1][0, -1], 2)


def _to_one(each: Cotangent | None, steps: Places, windows: Windows, x: Signal) -> Cotangent | None:
    if each is None:
        return None
    found = between(each.covariance(steps), steps, Places((steps.total,), x.places.points))
    return returned(each.through(found, each.chance), windows, _far(found), x)
