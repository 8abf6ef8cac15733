"""Values that stay by chance, and grow by what others lose; and values that are drawn."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.special import ndtr, ndtri

from fanin.graph.signal import Node
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.covariance import joined
from fanin.theory.propagation.evening import product
from fanin.theory.propagation.places import SAMPLES
from fanin.theory.propagation.signal import STILL, Result, Signal, Unknown, Value


def dropout(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return values of which a share is 0 and the others are larger."""
    x, rate = inputs[0], node.get("rate", 0.0)
    if not isinstance(x, Signal) or not rate:
        return Result(x, lambda cotangent: [cotangent])
    if rate >= 1:
        return Result(Unknown(f"{node.name}: it drops everything"))
    together = {atom.role for axis in node.get("shared", ()) for atom in context.axes[node.name][axis]}
    # What channels share each of them has by chance: moments of places are the same.
    samples = 1 if "batch" in together else SAMPLES
    points = 1 if "position" in together else len(x.places)
    drawn = context.normals.take(samples * points).reshape(-1, samples, points)
    factors = (drawn >= ndtri(rate)) / (1 - rate)
    y = replace(x, values=product(x.values, factors), chain=None, normal=False)
    return Result(y, lambda cotangent: [cotangent.times(factors, independent=True)])


def noise(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return random numbers of the shape of a value; its gradient is 0."""
    x = inputs[0]
    if not isinstance(x, Signal):
        return Result(Unknown(f"{node.name}: random numbers of the shape of what is no signal"))
    one = np.eye(len(x.places))
    drawn = context.population(joined(one, 0 * one))
    if node["kind"] == "uniform":
        drawn = math.sqrt(12) * (ndtr(drawn) - 0.5)
    values = node["mean"] + math.sqrt(node["variance"]) * drawn
    chain = Chain.of(values, STILL)
    y = Signal(values, x.places, x.width, x.examples, STILL, chain, normal=node["kind"] == "normal")
    return Result(y, lambda cotangent: [cotangent.times(0.0)])
