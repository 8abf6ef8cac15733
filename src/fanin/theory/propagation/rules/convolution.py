r"""Convolutions: products with weights over windows.

With f_d the share of output positions whose tap d lies inside, and positions o != o':

    E[y_o^2] = (C_in / groups) Var(w) sum_d f_d E[x^2]
    E[y_o y_o'] = (C_in / groups) Var(w) sum_d f_d^2 E[x x']

Taps that meet the same input from two outputs have weights of their own, so they add nothing. Backward
the same holds with C_out, and N_out / N_in times as many outputs as inputs.
"""

from __future__ import annotations

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, joined, moved, split
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.rules.outputs import Outputs, why_not
from fanin.theory.propagation.signal import Contributions, Kernel, Result, Signal, Unknown, Value


def convolution(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return the outputs of a convolution."""
    x, kernel = inputs[:2]
    if not isinstance(x, Signal) or not isinstance(kernel, Kernel) or kernel.law is None:
        return Result(Unknown(why_not(node, x, kernel)))
    shares = _shares(node, context)
    channels = context.size(node.inputs[0], "channel") / node["groups"]
    outs = context.size(node.name, "channel") / node["groups"]
    places = _places(node, x, context)
    variance = kernel.law.variance
    outputs = Outputs(node, x, kernel, inputs[2:], context, channels * float(np.sum(shares)))
    y = outputs.drawn(
        channels * variance * _windows(_fitted(x.covariance, x.places, places), shares, 1.0), places
    )
    ratio = places.total / x.places.total

    def pullback(cotangent: Cotangent) -> Contributions:
        found = cotangent.covariance(places)
        seen = context.seen_back(cotangent, y)
        met = np.mean(shares) * _fitted(x.covariance, x.places, places)
        outputs.take_down(context.total(found * met, places, x.examples), found, places, seen)
        back = outs * variance * _windows(_fitted(found, places, x.places), shares, ratio)
        return [Cotangent.normal(back, seen, cotangent.drift), *[None] * (len(inputs) - 1)]

    return Result(y, pullback)


def _places(node: Node, x: Signal, context: Context) -> Places:
    total = context.size(node.name, "position")
    if total == x.places.total:
        return Places(x.places.sizes, context.points[node.name])
    return Places((total,), context.points[node.name])


def _fitted(found: Covariance, places: Places, target: Places) -> Covariance:
    """Return second moments at the points of as many, fewer or more positions, all of them alike."""
    if len(places.sizes) == len(target.sizes):
        lone = places.total == 1 and target.total > 1
        return _spread(found, target) if lone else moved(found, places, target)
    share = places.share / places.total
    pairs = places.pairs / places.total**2
    result = [_one_block(matrix, share, pairs, target) for matrix in split(found)]
    return joined(*result)


def _spread(found: Covariance, target: Places) -> Covariance:
    return np.broadcast_to(found[:, :1, :, :1], (2, len(target), 2, len(target))).copy()


def _one_block(matrix: Array, share: Array, pairs: Array, target: Places) -> Array:
    diagonal = float(np.diag(matrix) @ share)
    total = float(np.sum(pairs * matrix))
    rest = (total - diagonal * float(np.sum(np.diag(pairs)))) / max(1 - float(np.sum(np.diag(pairs))), 1e-12)
    found = np.full((len(target), len(target)), rest)
    np.fill_diagonal(found, diagonal)
    return found


def _windows(found: Covariance, shares: Array, ratio: float) -> Covariance:
    """Return sums over a window: one position's terms, and what two positions' terms have in common."""
    one, two = ratio * float(np.sum(shares)), ratio**2 * float(np.sum(shares**2))
    points = found.shape[1]
    factors = np.where(np.eye(points) > 0, one, two)
    return found * factors[None, :, None, :]


def _shares(node: Node, context: Context) -> Array:
    """Return for each tap the share of output positions where it lies inside of the input, (taps,)."""
    x_shape = context.graph[node.inputs[0]].shape
    kernel_shape = context.graph[node.inputs[1]].shape
    along = []
    for place, axis in enumerate(node["x_axes"][2:]):
        taps = kernel_shape[node["kernel_axes"][2 + place]]
        outputs = node.shape[node["y_axes"][2 + place]]
        along.append(_inside(node, place, x_shape[axis], taps, outputs))
    shares = np.ones(1)
    for one in along:
        shares = np.outer(shares, one).reshape(-1)
    return shares


def _inside(node: Node, place: int, length: int, taps: int, outputs: int) -> Array:
    stride, dilation = node["stride"][place], node["dilation"][place]
    between = node["input_dilation"][place]
    before = node["padding"][place][0]
    at = np.arange(outputs)[:, None] * stride + np.arange(taps)[None, :] * dilation - before
    inside = (at >= 0) & (at <= (length - 1) * between) & (at % between == 0)
    return np.mean(inside, axis=0, dtype=float)
