"""Means and sums: over channels they are numbers, over positions normal by then, or gamma-distributed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.linalg import pinvh
from scipy.special import gammaincinv, ndtr

from fanin.graph.signal import Node
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import alike, over_positions
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts
from fanin.theory.propagation.rules.branches import over_branches
from fanin.theory.propagation.rules.extremes import of_positions
from fanin.theory.propagation.signal import Contributions, Kernel, Result, Signal, Unknown, Value

_NARROW = 1e4  # a gamma distribution of such a shape is as good as a normal one
_LEAST = 1e-3
_RANK = 1e-6


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
    if roles == {"channel"} and (made := over_branches(node, x, atoms, context)) is not None:
        return made
    if roles == {"position"} and name in ("max", "min"):
        every = math.prod(atom.size for atom in atoms) == x.places.total
        made = of_positions(x, name) if every else None
        return made or Result(
            Unknown(f"{node.name}: {name} over {'some' if not every else 'so many'} positions")
        )
    if "batch" in roles or name not in ("mean", "sum", "variance"):
        return Result(Unknown(f"{node.name}: {name} over {', '.join(sorted(roles))}"))
    positions = [atom for atom in atoms if atom.role == "position"]
    if positions and math.prod(atom.size for atom in positions) != x.places.total:
        return Result(Unknown(f"{node.name}: {name} over some positions of {x.places.total}"))
    terms = math.prod(atom.size for atom in atoms) if name == "sum" else 1
    if "channel" in roles:
        alone = not positions and name != "variance"
        made = _of_signs(x, math.prod(atom.size for atom in atoms), terms, context) if alone else None
        share = terms / math.prod(atom.size for atom in atoms)
        return made or _over_channels(x, bool(positions), terms, None if name == "variance" else share)
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


def _over_channels(x: Signal, positions: bool, terms: float, share: float | None) -> Result:
    """Return what many channels add up to, a number; without a share it is their variance."""
    centre = _mean(x.values, x.places, positions) if share is None else np.zeros((1, 1, 1))
    found = _mean((x.values - centre) ** 2 if share is None else x.values, x.places, positions)
    places = Places() if positions else x.places
    y = Signal(found * terms, places, 1, x.examples)

    def pullback(cotangent: Cotangent) -> Contributions:
        # Of a norm's statistics no gradient arrives: it vanishes with the number of channels.
        each = cotangent.times(2 * (x.values - centre) / x.width if share is None else share)
        if positions:
            each = replace(each, parts=tuple(part.everywhere(len(x.places)) for part in each.parts))
        return [each]

    return Result(y, pullback)


def _of_signs(x: Signal, channels: int, terms: float, context: Context) -> Result | None:
    """Return a sum over channels of either sign, as of a product of two vectors: what their chance leaves.

    None where the mean over channels says more, as that of squares does.
    """
    mean = np.broadcast_to(np.mean(x.values, axis=0), (SAMPLES, len(x.places)))
    spread = x.covariance - mean[:, :, None, None] * mean
    if len(x.values) == 1 or channels * np.mean(mean**2) > np.mean(np.einsum("sisi->si", spread)):
        return None
    share = terms / channels
    values = context.population(alike(channels * share**2 * spread, x.places)) + terms * mean
    seen = context.seen(x)
    y = Signal(values, x.places, 1, x.examples, seen, Chain.of(values, seen), normal=True)
    return Result(y, lambda cotangent: [cotangent.times(share)])


def _mean(values: Array, places: Places, positions: bool) -> Array:
    found = np.mean(values, axis=0, keepdims=True)
    if not positions:
        return found
    whole = np.broadcast_to(found, (1, found.shape[1], len(places)))
    return (whole @ (places.share / places.total))[..., None]


def _over_positions(x: Signal, terms: float, context: Context) -> Result:
    """Return each channel's mean or sum over positions, given its values at the points that are followed."""
    scale = terms / x.places.total
    if len(x.values) == 1:
        y = replace(x, values=_mean(x.values, x.places, True) * scale * x.places.total, places=Places())
        return Result(replace(y, chain=None), lambda cotangent: [cotangent])
    factor = terms if terms > 1 else 1.0
    positive = float(np.min(x.values)) >= 0 < float(np.max(x.values))
    values = _means_of_positions(x, positive, context) * factor
    chain = Chain.of(values, x.chance)
    y = Signal(values, Places(), x.width, x.examples, x.chance, chain=chain, normal=not positive)

    def pullback(cotangent: Cotangent) -> Contributions:
        share = cotangent.times(factor / x.places.total)
        return [replace(share, parts=tuple(part.everywhere(len(x.places)) for part in share.parts))]

    return Result(y, pullback)


def _means_of_positions(x: Signal, positive: bool, context: Context) -> Array:
    """Return the mean over all positions in each row: what its points tell of it, and a rest.

    Args:
        x: Of many positions.
        positive: Whether no value is negative, as squares are not; then no mean is.
        context: Of the run.

    Returns:
        (rows, samples, 1).
    """
    points, total = len(x.places), x.places.total
    whole = np.broadcast_to(x.values, (len(x.values), SAMPLES, points))
    levels = np.mean(whole, axis=0).mean(axis=0)
    level = float(levels @ x.places.share) / total
    found = x.covariance - levels[:, None, None] * levels
    counts = pair_counts(x.places, SAMPLES)
    along = np.sum(counts * found, axis=3) / (x.places.share[:, None] * total)  # of a point and the mean
    flat = found.reshape(SAMPLES * points, -1)
    weights = pinvh(flat, rtol=_RANK) @ along.reshape(-1, SAMPLES)
    told = level + (whole - levels).reshape(len(whole), -1) @ weights
    rest = over_positions(found, x.places)[:, 0, :, 0] / total**2 - along.reshape(-1, SAMPLES).T @ weights
    rest = np.diag(np.maximum(np.diag(rest), 0.0)) + rest - np.diag(np.diag(rest))
    drawn = context.population(rest[:, None, :, None])[..., 0]
    if not positive:
        return (told + drawn)[..., None]
    own = np.sum(whole, axis=2) / total  # no mean is less than what the points have of it
    return (own + _positive(told - own, drawn, float(np.mean(np.diag(rest))), level))[..., None]


def _positive(told: Array, drawn: Array, variance: float, level: float) -> Array:
    """Return sums of what is told and a normal rest as gamma-distributed values of the same two moments."""
    told = np.maximum(told, _LEAST * level)
    shapes = told**2 / max(variance, 1e-300)
    if np.min(shapes) > _NARROW:
        return np.maximum(told + drawn, _LEAST * level)
    shapes = np.minimum(shapes, _NARROW)
    return gammaincinv(shapes, ndtr(drawn / math.sqrt(variance))) * (told / shapes)
