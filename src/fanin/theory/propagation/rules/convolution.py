r"""Convolutions: products with weights over windows.

With r_d the share of a block's outputs whose tap d reads a block of inputs, and outputs o != o':

    E[y_o^2] = (C_in / groups) Var(w) sum_d r_d E[x^2]
    E[y_o y_o'] = (C_in / groups) Var(w) sum_d r_d E[x x'] r_d^T, less where both windows were the same

Backward the same holds with C_out, and as many outputs for each input as read it. Borders are blocks of their
own, since windows there reach beyond the image.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, from_blocks, joined, split, to_blocks
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.overlaps import over_windows, smoothed
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.responses import gained, response
from fanin.theory.propagation.rules.outputs import OfKernel, Outputs, why_not
from fanin.theory.propagation.signal import Contributions, Kernel, Result, Signal, Unknown, Value
from fanin.theory.propagation.windows import Axis, fitted, gathered, one_block, over_blocks, returned, shares


def convolution(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return the outputs of a convolution."""
    x, kernel = inputs[:2]
    if not isinstance(x, Signal) or not isinstance(kernel, Kernel) or kernel.law is None:
        return Result(Unknown(why_not(node, x, kernel)))
    places, source, reads = _geometry(node, x, context)
    given = returned(reads, places, source)
    channels = context.size(node.inputs[0], "channel") / node["groups"]
    outs = context.size(node.name, "channel") / node["groups"]
    law, axes = kernel.law, len(node["stride"])
    windows = _over_windows(x.covariance, x.places, source, places, reads)
    taps = float(np.average(reads.sum(axis=(0, 2)), weights=places.sizes))
    outputs = Outputs(node, x, kernel, inputs[2:], context, channels * taps)
    scale = channels * law.variance
    y = outputs.drawn(scale * windows, places)
    y = replace(y, overlap=over_windows(x, taps, axes))

    def back(found: Covariance) -> Covariance:
        whole = _over_windows(found, places, places, source, given)
        return outs * law.second_moment * over_blocks(whole, source, x.places)

    def pullback(cotangent: Cotangent) -> Contributions:
        found, bent = cotangent.covariance(places), response(cotangent, y)
        seen = context.seen_back(cotangent, y)
        more = gained(bent, windows, scale, over_windows(x, taps, axes, node["groups"]))
        of_kernel = OfKernel.over(found, windows, places, x.examples, more)
        outputs.take_down(of_kernel.times(1 / len(reads)), cotangent, y)
        # What bends it came through windows, too.
        on = None if bent is None else back(bent) * scale * taps * smoothed(taps, axes)
        return [cotangent.through(back(found), seen, on), *[None] * (len(inputs) - 1)]

    return Result(y, pullback)


def _geometry(node: Node, x: Signal, context: Context) -> tuple[Places, Places, Array]:
    """Return the blocks of the outputs and of the inputs, and how often taps read which."""
    into = _shape(context.graph[node.inputs[0]].shape, node["x_axes"])
    out = _shape(node.shape, node["y_axes"])
    points = context.points[node.name]
    if len(out) == 1 and len(x.places.sizes) > 1 and out == into:
        places = replace(x.places, points=points)
    else:
        places = Places.image(out, points)
    labels = x.places.labels(into)
    source = fitted(x.places, into, labels)
    return places, source, shares(_axes(node, into, out, context), places.labels(out), labels)


def _shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(shape[axis] for axis in axes[2:])


def _axes(node: Node, into: tuple[int, ...], out: tuple[int, ...], context: Context) -> list[Axis]:
    taps = _shape(context.graph[node.inputs[1]].shape, node["kernel_axes"])
    return [
        Axis.of(
            into[axis],
            out[axis],
            taps[axis],
            stride=node["stride"][axis],
            before=node["padding"][axis][0],
            dilation=node["dilation"][axis],
            between=node["input_dilation"][axis],
        )
        for axis in range(len(out))
    ]


def _over_windows(
    found: Covariance, places: Places, source: Places, target: Places, reads: Array
) -> Covariance:
    result = []
    for matrix in split(found):
        same, apart = to_blocks(matrix, places)
        if len(source.sizes) != len(places.sizes):
            same, apart = one_block(same, apart, places)
        result.append(from_blocks(*gathered(reads, np.asarray(target.sizes, float), same, apart), target))
    return joined(*result)
