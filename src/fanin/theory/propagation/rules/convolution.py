r"""Convolutions: products with weights over windows.

With r_d the share of a block's outputs whose tap d reads a block of inputs, and outputs o != o':

    E[y_o^2] = (C_in / groups) Var(w) sum_d r_d E[x^2]
    E[y_o y_o'] = (C_in / groups) Var(w) sum_d r_d E[x x'] r_d^T, less where both windows were the same

Backward the same holds with C_out, and as many outputs for each input as read it. W is in the gradients, too:
the gradient of an input x has Var(w) x sum_d tr H_d more, H_d the second derivatives at the output that reads
x by tap d. Of one tap that is nothing on average over the channels of x, of two it adds up.

Borders are blocks of their own, since windows there reach beyond the image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Curvature, Part
from fanin.theory.propagation.covariance import Covariance, from_blocks, joined, split, to_blocks
from fanin.theory.propagation.curvature import along, curvature, gained, mean_traces
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.overlaps import over_windows, smoothed
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.rules.outputs import OfKernel, Outputs, why_not
from fanin.theory.propagation.signal import Contributions, Kernel, Result, Signal, Unknown, Value
from fanin.theory.propagation.windows import (
    Axis,
    Sums,
    fitted,
    gathered,
    one_block,
    over_blocks,
    returned,
    shares,
)

_LITTLE = 3e-3
"""What gradients have along signals is left out where it is less than this share of them."""


def convolution(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return the outputs of a convolution."""
    x, kernel = inputs[:2]
    if not isinstance(x, Signal) or not isinstance(kernel, Kernel) or kernel.law is None:
        return Result(Unknown(why_not(node, x, kernel)))
    geometry = _Geometry.of(node, x, context)
    places, reads = geometry.places, geometry.reads
    channels = context.size(node.inputs[0], "channel") / node["groups"]
    outs = context.size(node.name, "channel") / node["groups"]
    law, axes = kernel.law, len(node["stride"])
    windows = _over_windows(x.covariance, x.places, geometry.source, places, reads)
    taps = float(np.average(reads.sum(axis=(0, 2)), weights=places.sizes))
    outputs = Outputs(node, x, kernel, inputs[2:], context, channels * taps)
    scale, returns = channels * law.variance, outs * law.second_moment
    y = outputs.drawn(scale * windows, places)
    y = replace(y, overlap=over_windows(x, taps, axes))

    def pullback(cotangent: Cotangent) -> Contributions:
        found, curved = cotangent.covariance(places), curvature(cotangent, y)
        seen = context.seen_back(cotangent, y)
        # A function's slopes go with the chance of a channel's own group, later layers with that of all.
        chance, of_group = (over_windows(x, taps, axes, groups) for groups in (1, node["groups"]))
        of_groups = curved if node["groups"] == 1 else curvature(cotangent, y, own=of_group / chance)
        more = gained(of_groups, windows, scale, chance)
        of_kernel = OfKernel.over(found, windows, places, x.examples, more)
        outputs.take_down(of_kernel.times(1 / len(reads)), cotangent, y)
        back = cotangent.through(returns * geometry.back(found, x.places), seen)
        if curved is not None:
            on = returns * scale * taps * smoothed(taps, axes)
            back = _bent(
                back, curved.times(on, scale**2), geometry, x, context, 1 / channels**2 / node["groups"]
            )
        traces = mean_traces(cotangent, y)
        if traces is not None:
            back = along(back, law.variance * geometry.totals(traces, x.places) / node["groups"], x)
        return [back, *[None] * (len(inputs) - 1)]

    return Result(y, pullback)


def _bent(
    back: Cotangent, curved: Curvature, geometry: _Geometry, x: Signal, context: Context, share: float
) -> Cotangent:
    """Return a gradient with what it has along the signal, and with second derivatives.

    Args:
        back: The gradient with respect to x of weights that know nothing of it.
        curved: What an output adds to second derivatives with respect to x.
        geometry: Where windows lie.
        x: The signal.
        context: Of the run.
        share: Second moments of what the gradient has along x, as a share of those of traces.
    """
    products = geometry.back(curved.products, x.places)
    traces, by_tap = geometry.sums(curved.traces, x.places), geometry.back(curved.traces, x.places)
    (part,) = back.parts
    bent = Part(x.values, share * (traces - by_tap))
    added, total = (context.total(each.covariance(x.places), x.places, x.examples) for each in (bent, part))
    more = (bent,) if added > _LITTLE * total else ()
    return replace(back, parts=(replace(part, curvature=Curvature(products, traces)), *more))


@dataclass(frozen=True, eq=False)
class _Geometry:
    """Where windows lie.

    Args:
        places: Of the outputs.
        source: Of the inputs, as far as their blocks fit the image.
        reads: How often taps of outputs read which inputs, (taps, blocks, read blocks).
        axes: Windows along each axis.
        shapes: Of the images of inputs and of outputs.
        labels: The part of each axis that inputs and outputs belong to.
    """

    places: Places
    source: Places
    reads: Array
    axes: list[Axis]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    labels: tuple[list[np.ndarray], list[np.ndarray]]

    @classmethod
    def of(cls, node: Node, x: Signal, context: Context) -> _Geometry:
        into = _shape(context.graph[node.inputs[0]].shape, node["x_axes"])
        out = _shape(node.shape, node["y_axes"])
        points = context.points[node.name]
        if len(out) == 1 and len(x.places.sizes) > 1 and out == into:
            places = replace(x.places, points=points)
        else:
            places = Places.image(out, points)
        labels = x.places.labels(into), places.labels(out)
        axes = _axes(node, into, out, context)
        reads = shares(axes, labels[1], labels[0])
        return cls(places, fitted(x.places, into, labels[0]), reads, axes, (into, out), labels)

    def back(self, found: Covariance, target: Places) -> Covariance:
        """Return sums of second moments of outputs over those that read an input by the same tap."""
        given = returned(self.reads, self.places, self.source)
        return over_blocks(
            _over_windows(found, self.places, self.places, self.source, given), self.source, target
        )

    def sums(self, found: Covariance, target: Places) -> Covariance:
        """Return second moments of sums over all outputs that read an input."""
        return over_blocks(self._back.moments(found, self.places), self.source, target)

    def totals(self, values: Array, target: Places) -> Array:
        """Return sums of numbers of outputs, (samples, points), over all outputs that read an input."""
        first = np.cumsum([0, *self.places.counts[:-1]])
        found = self._back.terms @ values[:, first].T  # (blocks, samples)
        if len(self.source.sizes) != len(target.sizes):
            return np.mean(found, axis=0)[:, None]
        return found[target.owner].T

    @cached_property
    def _back(self) -> Sums:
        """Sums over all outputs that read an input."""
        weights = [
            axis.weights(length, True).T * axis.source.shape[1]
            for axis, length in zip(self.axes, self.shapes[0], strict=True)
        ]
        return Sums.of(weights, self.places, self.source, *self.labels)


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
