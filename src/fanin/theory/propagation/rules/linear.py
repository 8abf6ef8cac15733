r"""Products with weights: new normal populations.

    y_i = sum_j w_ij x_j,  E[y y'] = n_in Var(w) E[x x'],  E[g_x g_x'] = n_out Var(w) E[g_y g_y'],
    E[dw^2] = sum over all pairs of places of E[g_y g_y'] E[x x']

Forward and backward populations are independent, as in wide networks (Yang 2020, arXiv:2006.14548).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fanin.graph.axes import Atom, letters
from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Curvature
from fanin.theory.propagation.covariance import Covariance, joined, mean_place, moved, split
from fanin.theory.propagation.curvature import along, curvature, gained, mean_traces
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.overlaps import overlap, spread_of_products
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.rules.outputs import OfKernel, Outputs, why_not
from fanin.theory.propagation.signal import Contributions, Kernel, Result, Signal, Unknown, Value

ONE = Places()


def linear(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return the outputs of a dense layer, of an einsum with weights, or of a product over positions."""
    x, kernel = inputs[:2]
    if not isinstance(x, Signal) or not isinstance(kernel, Kernel) or kernel.law is None:
        return Result(Unknown(why_not(node, x, kernel)))
    sums = _Sums.of(node, context)
    if sums.unknown:
        return Result(Unknown(f"{node.name} {sums.unknown}"))
    law = kernel.law
    inner = mean_place(x.covariance, x.places) if sums.positions else x.covariance
    places = _places(sums, x, context.points[node.name])
    scale = sums.fan_in * law.variance
    wanted = scale * inner
    if law.mean:
        wanted = wanted + sums.fan_in * law.mean**2 * _around_means(x, sums.positions)
    outputs = Outputs(node, x, kernel, inputs[2:], context, sums.fan_in)
    y = outputs.drawn(_apart(wanted, places) if sums.made else _moved(wanted, sums, x, places), places)

    def pullback(cotangent: Cotangent) -> Contributions:
        found = cotangent.covariance(places)
        seen = context.seen_back(cotangent, y)
        outer = mean_place(found, places) if sums.made else found
        at = ONE if sums.positions or sums.made else x.places
        bent = None if sums.made else curvature(cotangent, y)
        if bent is not None:
            bent = Curvature(*(_at(each, places, at) for each in bent))
        more = 0.0 if bent is None else gained(bent, inner, scale, *_chance(x, sums))
        of_kernel = OfKernel.over(_at(outer, places, at), inner, at, x.examples, more)
        outputs.take_down(of_kernel.times(sums.shared * (1 + cotangent.met * overlap(x))), cotangent, y)
        wanted = sums.fan_out * law.second_moment * outer
        back = _apart(wanted, x.places) if sums.positions else _at(wanted, places, x.places)
        on = None
        if bent is not None and not sums.positions:
            on = bent.times(sums.fan_out * law.second_moment * scale, scale**2)
        found = replace(cotangent.through(back, seen, on), met=cotangent.met)
        traces = None if sums.made or sums.positions else mean_traces(cotangent, y)
        if traces is not None:
            found = along(found, law.variance * _there(traces, places, x.places), x)
        return [found, *[None] * (len(inputs) - 1)]

    return Result(y, pullback)


def terms(node: Node, context: Context) -> tuple[int, int]:
    """Return the terms of each sum of a product with weights, and the sums that each input goes into."""
    sums = _Sums.of(node, context)
    return sums.fan_in, sums.fan_out


def plain_terms(node: Node, context: Context) -> tuple[int, int] | None:
    """Return the same of a product that leaves positions as they are; None of others."""
    sums = _Sums.of(node, context)
    if sums.unknown or sums.positions or sums.made or sums.shared > 1:
        return None
    return sums.fan_in, sums.fan_out


@dataclass(frozen=True)
class _Sums:
    """What a product with weights sums over.

    Args:
        fan_in: Terms of each sum.
        fan_out: Sums that each input goes into.
        positions: Whether they go over all positions.
        made: Positions of the outputs, which have weights of their own; 0 where there are none.
        shared: Channels that are multiplied by the same weights.
        unknown: Why it cannot be told, or "".
    """

    fan_in: int
    fan_out: int
    positions: bool
    made: int
    shared: int = 1
    unknown: str = ""

    @classmethod
    def of(cls, node: Node, context: Context) -> _Sums:
        (x_letters, kernel_letters), y_letters = letters(node["equation"])
        x = dict(zip(x_letters, context.axes[node.inputs[0]], strict=True))
        y = dict(zip(y_letters, context.axes[node.name], strict=True))
        summed = [atom for letter, axis in x.items() if letter not in y for atom in axis]
        kept = [atom for letter, axis in x.items() if letter in y for atom in axis]
        made = [atom for letter, axis in y.items() if letter not in x for atom in axis]
        apart = [atom for letter, axis in x.items() if letter not in kernel_letters for atom in axis]
        shared = _size([atom for atom in apart if atom.role == "channel"])
        positions, new = _has(summed, "position"), _has(made, "position")
        unknown = ""
        if _has(summed, "batch"):
            unknown = "sums over examples"
        elif _has(kept, "position") and (positions or new):
            unknown = "sums over some positions and keeps others"
        places = _size([atom for atom in made if atom.role == "position"]) if new else 0
        return cls(_size(summed), _size(made), positions, places, shared, unknown)


def _chance(x: Signal, sums: _Sums) -> tuple[float, Covariance | float]:
    """Return the variance of products x . x': what came before brings, by what differs, and their own."""
    if sums.positions:
        return x.overlap + (overlap(x) - x.overlap) * x.width / sums.fan_in, 0.0
    return x.overlap, spread_of_products(x) / sums.fan_in


def _around_means(x: Signal, positions: bool) -> Covariance:
    """Return E[x x'] - E[x] E[x'], averaged over positions if wanted."""
    means = np.broadcast_to(np.mean(x.values, axis=0), (SAMPLES, len(x.places)))
    found = x.covariance - means[:, :, None, None] * means[None, None]
    return mean_place(found, x.places) if positions else found


def _has(atoms: list[Atom], role: str) -> bool:
    return any(atom.role == role and atom.size > 1 for atom in atoms)


def _size(atoms: list[Atom]) -> int:
    return math.prod(atom.size for atom in atoms)


def _places(sums: _Sums, x: Signal, points: int) -> Places:
    if sums.made:
        return Places((sums.made,), points)
    return ONE if sums.positions else replace(x.places, points=points)


def _moved(wanted: Covariance, sums: _Sums, x: Signal, places: Places) -> Covariance:
    return wanted if sums.positions else moved(wanted, x.places, places)


def _at(found: Covariance, places: Places, target: Places) -> Covariance:
    """Return second moments at other points; where there is one place only, it is there for all."""
    if found.shape[1] == 1 or len(places.sizes) != len(target.sizes):
        return np.broadcast_to(found[:, :1, :, :1], (2, len(target), 2, len(target))).copy()
    return moved(found, places, target)


def _there(values: Array, places: Places, target: Places) -> Array:
    """Return numbers of places, (samples, points), at other points; of one place they are there for all."""
    if values.shape[1] == 1 or len(places.sizes) != len(target.sizes):
        return values[:, :1]
    first = np.cumsum([0, *places.counts[:-1]])
    return values[:, first[target.owner]]


def _apart(wanted: Covariance, places: Places) -> Covariance:
    """Return second moments where each position has weights of its own, so that positions are independent."""
    one = np.eye(len(places))
    same, across = (float(matrix[0, 0]) for matrix in split(wanted))
    return joined(same * one, across * one)
