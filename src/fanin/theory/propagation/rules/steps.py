r"""Weights that are used again at every step: their products are normal, jointly over all steps.

    E[y_t y_t'] = n Var(w) E[x_t x_t']

A step's products are drawn given those of the steps before: y_t = y_< A + rest, A = K_<<^-1 K_<t.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.linalg import pinvh

from fanin.graph.signal import Node
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import joined, normal, split
from fanin.theory.propagation.draws import Array, Normals, Source
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.rules.linear import terms
from fanin.theory.propagation.rules.outputs import why_not
from fanin.theory.propagation.signal import Contributions, Kernel, Result, Signal, Unknown, Value
from fanin.theory.propagation.uncorrelated import Uncorrelated

_RANK = 1e-9


@dataclass(eq=False)
class Products:
    """Products of one random matrix with vectors of one step after the other.

    Args:
        scale: Terms of a sum times the variance of a weight.
    """

    scale: float
    read: list[Array] = field(default_factory=list)
    made: list[Array] = field(default_factory=list)

    def of(self, x: Array, normals: Source) -> Array:
        """Return the products with a step's vectors, (rows, samples), given those of the steps before."""
        rows = normals.rows
        x = np.broadcast_to(x, (rows, x.shape[1]))
        own = self.scale * x.T @ x / rows
        if self.read:
            read, made = np.concatenate(self.read, axis=1), np.concatenate(self.made, axis=1)
            before = self.scale * read.T @ read / rows
            between = self.scale * read.T @ x / rows
            known = pinvh(before, rtol=_RANK) @ between
            y = made @ known + normals.take(x.shape[1]) @ _root(own - between.T @ known).T
        else:
            y = normals.take(x.shape[1]) @ _root(own).T
        self.read.append(x)
        self.made.append(y)
        return y

    def outer(self) -> Array:
        """Return E[x x'] between all steps read, (steps * samples, steps * samples)."""
        read = np.concatenate(self.read, axis=1)
        return read.T @ read / len(read)


def _root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0))


@dataclass(eq=False)
class Steps:
    """What the steps of one recurrence share: products with each kernel, forward and backward.

    Args:
        examples: Examples of the batch.
        normals: Where populations come from.
        together: Whether gradients of two examples have anything in common.
    """

    examples: int
    normals: Normals
    together: bool = True
    forward: dict[str, Products] = field(default_factory=dict)
    backward: dict[str, Products] = field(default_factory=dict)
    kernels: dict[str, Kernel] = field(default_factory=dict)
    biases: dict[str, Array] = field(default_factory=dict)
    added: dict[str, Kernel] = field(default_factory=dict)
    chance: dict[str, Array] = field(default_factory=dict)
    source: Uncorrelated = field(init=False)
    source_back: Uncorrelated = field(init=False)

    def __post_init__(self) -> None:
        self.source, self.source_back = Uncorrelated(self.normals), Uncorrelated(self.normals)

    def linear(self, node: Node, inputs: list[Value], context: Context) -> Result:
        """Return a step's products with a kernel."""
        x, kernel = inputs[:2]
        if not isinstance(x, Signal) or not isinstance(kernel, Kernel) or kernel.law is None:
            return Result(Unknown(why_not(node, x, kernel)))
        fan_in, fan_out = terms(node, context)
        variance = kernel.law.variance
        if node.name not in self.forward:
            self.forward[node.name] = Products(fan_in * variance)
            self.backward[node.name] = Products(fan_out * variance)
            self.kernels[node.name] = kernel
        values = self.forward[node.name].of(_flat(x.values), self.source)[:, :, None]
        for bias in inputs[2:]:
            values = values + self.bias(node.name, bias, context)
            if isinstance(bias, Kernel):
                self.added[node.name] = bias
        seen = context.seen(x)
        width = context.size(node.name, "channel")
        y = Signal(values, Places(), width, x.examples, seen, Chain.of(values, seen))

        def pullback(cotangent: Cotangent) -> Contributions:
            drawn = sampled(cotangent, Places(), self.source_back)
            found = self.backward[node.name].of(_flat(drawn), self.source_back)[:, :, None]
            self.chance[node.name] = context.seen_back(cotangent, y)
            part = as_part(found, together=self.together)
            back = replace(cotangent, parts=(part,), chance=self.chance[node.name])
            return [back, *[None] * (len(inputs) - 1)]

        return Result(y, pullback)

    def bias(self, name: str, value: Value, context: Context) -> Array:
        """Return the same draw of a bias at every step."""
        if not isinstance(value, Kernel) or value.law is None:
            return np.zeros((1, 1, 1))
        if name not in self.biases:
            law = value.law
            self.biases[name] = context.elements(value) if law.variance else np.full((1, 1, 1), law.mean)
        return self.biases[name]

    def start_back(self, *, together: bool) -> None:
        """Begin with another gradient, that of the last step first."""
        self.together, self.source_back = together, Uncorrelated(self.normals)
        for products in self.backward.values():
            products.read.clear()
            products.made.clear()

    def take_down(self, context: Context) -> None:
        """Take down the gradients of kernels and biases: sums over all steps and examples."""
        for name, kernel in self.kernels.items():
            read = self.backward[name].read[::-1]
            if not read:
                continue
            steps = len(read)
            gradients = Products(1.0, read=read).outer()
            if not self.together:
                gradients = gradients * np.tile(np.eye(SAMPLES), (steps, steps))
            counts = np.tile(_pairs(self.examples), (steps, steps))
            forward = self.forward[name].outer()[: len(counts), : len(counts)]
            total = float(np.sum(counts * forward * gradients))
            context.gradient(kernel.weight, total * kernel.factor**2, self.chance[name])
            if name in self.added:
                bias = self.added[name]
                context.of_values(bias, float(np.sum(counts * gradients)), self.chance[name], 2.0)


def _pairs(examples: int) -> Array:
    if examples < SAMPLES:
        return np.diag([1.0, *[0.0] * (SAMPLES - 1)])
    apart = examples * (examples - 1) / (SAMPLES * (SAMPLES - 1))
    return np.where(np.eye(SAMPLES) > 0, examples / SAMPLES, apart)


def _flat(values: Array) -> Array:
    return np.broadcast_to(values[..., 0], (len(values), SAMPLES))


def as_part(values: Array, *, together: bool = True) -> Part:
    """Return a gradient that is a known population.

    Args:
        values: (rows, samples, points).
        together: Whether two examples have anything in common; else each has a sign of its own.
    """
    same = np.ones((values.shape[2], values.shape[2]))
    # What was drawn adds up row by row.
    of = "drawn", together, values.shape[2]
    return Part(values, joined(same, same * together), of, known=True, drawn=(values, np.ones((1, 1, 1))))


def split_up(cotangent: Cotangent, places: Places) -> list[tuple[Cotangent, bool]]:
    """Return what each example has of a gradient for itself, and what all have in common, if anything.

    Products of drawn numbers of two examples are 0 on average only. Of gradients that are known to be
    independent, many small errors would add up in sums over all pairs.

    Args:
        cotangent: The gradient.
        places: Of its points.

    Returns:
        Parts of the gradient that sum to it, and whether two examples have anything in common there.
    """
    own, common = [], []
    for part in cotangent.parts:
        if part.is_of_signals:
            part = Part(np.ones((1, 1, 1)), part.covariance(places))
        same, apart = split(part.inner)
        own.append(replace(part, inner=joined(same - apart, 0 * apart)))
        common.append(replace(part, inner=joined(apart, apart)))
    kinds = ((own, False), (common, True))
    kept = [(tuple(part for part in parts if np.any(part.inner)), together) for parts, together in kinds]
    return [(replace(cotangent, parts=parts), together) for parts, together in kept if parts]


def sampled(cotangent: Cotangent, places: Places, normals: Source) -> Array:
    """Return a population of a gradient, (rows, samples, points)."""
    found = np.zeros((normals.rows, SAMPLES, len(places)))
    for part in cotangent.parts:
        found = found + part.slope * (1.0 if part.known else normal(normals, part.inner))
    return found
