"""Means and sums over channels, which are numbers, and over positions, which are normal by then."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import over_positions
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.signal import (
    Chain,
    Contributions,
    Kernel,
    Result,
    Signal,
    Unknown,
    Value,
)


def reduce(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return a mean, a sum or a variance over axes."""
    x, name = inputs[0], node["function"]
    if isinstance(x, Kernel):
        return Result(_of_weights(x, node))
    if not isinstance(x, Signal):
        return Result(x if isinstance(x, Unknown) else Unknown(f"{node.name}: {name} of no signal"))
    atoms = [atom for axis in node["axes"] for atom in context.axes[node.inputs[0]][axis]]
    roles = {atom.role for atom in atoms}
    if not atoms:
        return Result(x, lambda cotangent: [cotangent])
    if "batch" in roles or name not in ("mean", "sum", "variance"):
        return Result(Unknown(f"{node.name}: {name} over {', '.join(sorted(roles))}"))
    positions = [atom for atom in atoms if atom.role == "position"]
    if positions and math.prod(atom.size for atom in positions) != x.places.total:
        return Result(Unknown(f"{node.name}: {name} over some positions of {x.places.total}"))
    terms = math.prod(atom.size for atom in atoms) if name == "sum" else 1
    if "channel" in roles:
        return _over_channels(x, bool(positions), terms, name == "variance")
    if name == "variance":
        return Result(Unknown(f"{node.name}: variance over positions"))
    return _over_positions(x, terms, context)


def _of_weights(kernel: Kernel, node: Node) -> Value:
    """Return the mean of many weights, which is a number."""
    law = kernel.law
    if law is None:
        return Unknown(f"{node.name}: nobody knows what {kernel.weight} is distributed by")
    terms = math.prod(kernel.shape[axis] for axis in node["axes"])
    name = node["function"]
    if name not in ("mean", "sum", "variance"):
        return Unknown(f"{node.name}: {name} of weights")
    value = law.variance if name == "variance" else law.mean
    scale = terms if name == "sum" else 1
    # Of many weights, the mean hardly varies.
    return Kernel(replace(law, mean=value * scale, variance=0.0), node.shape)


def _over_channels(x: Signal, positions: bool, terms: float, variance: bool) -> Result:
    centre = _mean(x.values, x.places, positions) if variance else np.zeros((1, 1, 1))
    found = _mean((x.values - centre) ** 2 if variance else x.values, x.places, positions)
    places = Places() if positions else x.places
    y = Signal(found * terms, places, 1, x.examples)

    # The gradient of a mean over channels is independent of each of them, and vanishes with their number.
    return Result(y, lambda cotangent: [None])


def _mean(values: Array, places: Places, positions: bool) -> Array:
    found = np.mean(values, axis=0, keepdims=True)
    if not positions:
        return found
    whole = np.broadcast_to(found, (1, found.shape[1], len(places)))
    return (whole @ (places.share / places.total))[..., None]


def _over_positions(x: Signal, terms: float, context: Context) -> Result:
    """Return each channel's mean or sum over positions: many terms, so a normal number with their moments."""
    scale = terms / x.places.total
    if len(x.values) == 1:
        y = replace(x, values=_mean(x.values, x.places, True) * scale * x.places.total, places=Places())
        return Result(replace(y, chain=None), lambda cotangent: [cotangent])
    mean = np.mean(np.broadcast_to(x.values, (len(x.values), SAMPLES, len(x.places))), axis=0)
    level = float(np.mean(mean @ x.places.share)) / x.places.total
    centred = over_positions(x.covariance - level**2, x.places) / x.places.total**2
    factor = terms if terms > 1 else 1.0
    values = (context.population(centred) + level) * factor
    chain = Chain(values, x.chance, lambda z: z)
    y = Signal(values, Places(), x.width, x.examples, x.chance, chain=chain, normal=True)

    def pullback(cotangent: Cotangent) -> Contributions:
        inner = cotangent.covariance(Places()) * (factor / x.places.total) ** 2
        shape = (SAMPLES, len(x.places), SAMPLES, len(x.places))
        return [cotangent.through(np.broadcast_to(inner, shape).copy(), cotangent.chance)]

    return Result(y, pullback)
