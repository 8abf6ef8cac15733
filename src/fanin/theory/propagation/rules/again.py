r"""Weights that signals meet again: loops that are written out, layers that are shared along the depth.

All products of one matrix are normal, jointly, and so are gradients on their way back: each is drawn given
those before it, as the steps of a recurrence are. From the last use on gradients are populations that were
drawn, whose ways meet row by row: of (z + W)^T, E|g|^2 is sum C(T, k)^2 z^(2T - 2k) s^2k.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from fanin.graph.signal import Node, SignalGraph
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.draws import Array, Normals
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts
from fanin.theory.propagation.rules.linear import plain_terms
from fanin.theory.propagation.rules.steps import Products, as_part, sampled, split_up
from fanin.theory.propagation.signal import STILL, Contributions, Kernel, Result, Signal, Value
from fanin.theory.propagation.uncorrelated import Uncorrelated

_PARTS = 1.1  # by which variances of a kernel's parts may differ


@dataclass(frozen=True)
class Meetings:
    """Where signals meet the weights of layers again.

    Args:
        products: The weight that each layer reads, of those that several read, by the node's name.
        before: Which of these weights each node depends on.
        times: How often a signal meets a weight on its way, of those it meets again.

    Example:
        >>> weight = {"weight": "w"}
        >>> nodes = (
        ...     Node("w", "parameter", (), (4, 4), attributes=weight),
        ...     Node("x", "input", (), (2, 4)),
        ...     Node("y", "linear", ("x", "w"), (2, 4)),
        ...     Node("z", "linear", ("y", "w"), (2, 4)),
        ... )
        >>> Meetings.of(SignalGraph(nodes)).times
        {'w': 2}
    """

    products: Mapping[str, str]
    before: Mapping[str, frozenset[str]]
    times: dict[str, int]

    @classmethod
    def of(cls, graph: SignalGraph) -> Meetings:
        """Return those of a graph."""
        products, before = _products(graph), dict[str, frozenset[str]]()
        times: dict[str, int] = {}
        for node in graph:
            before[node.name] = frozenset[str]().union(*(before[name] for name in node.inputs))
            weight = products.get(node.name)
            if weight is None:
                continue
            if weight in before[node.name]:
                times[weight] = times.get(weight, 1) + 1
            before[node.name] |= {weight}
        return cls(products, before, times)


def _products(graph: SignalGraph) -> dict[str, str]:
    of_weight: dict[str, list[str]] = {}
    for node in graph:
        if node.op in ("linear", "convolution") and graph[node.inputs[1]].op == "parameter":
            of_weight.setdefault(graph[node.inputs[1]]["weight"], []).append(node.name)
    return {name: weight for weight, names in of_weight.items() if len(names) > 1 for name in names}


@dataclass(eq=False)
class _Use:
    """One use of a weight.

    Args:
        x: What it multiplies.
        kernel: The weight.
        rest: Its bias, or nothing.
        terms: Of each sum, forward and back.
        back: Gradients with respect to the products, and whether examples have them in common.
        chance: That of the gradient.
    """

    x: Signal
    kernel: Kernel
    rest: list[Value]
    terms: tuple[int, int]
    back: list[tuple[Array, bool]] = field(default_factory=list)
    chance: Array = field(default_factory=lambda: STILL)

    @property
    def read(self) -> Array:
        """What it multiplies, with a column for each sample and point."""
        return _flat(self.x.values, self.x.places)


class Again:
    """Products with the weights that signals meet again, forward and backward.

    Args:
        graph: The model.
        normals: Where populations come from.
    """

    def __init__(self, graph: SignalGraph, normals: Normals) -> None:
        self._met = Meetings.of(graph)
        self._forward: dict[str, Products] = {}
        self._backward: dict[tuple[str, bool], Products] = {}
        self._biases: dict[str, Array] = {}
        self._uses: dict[str, list[_Use]] = {}
        self._source = Uncorrelated(normals)  # of gradients, whose products add up over all uses

    def result(self, node: Node, inputs: list[Value], context: Context) -> Result | None:
        """Return what a dense layer makes of its inputs; None where nothing else reads its weights.

        Weights that are read side by side belong to it too: two towers of one network are alike, and the
        gradients of a cell's kernel of inputs add up over all steps.
        """
        if node.name not in self._met.products or node.op != "linear":
            return None
        x, kernel = inputs[:2]
        terms = plain_terms(node, context)
        if not isinstance(x, Signal) or not isinstance(kernel, Kernel) or terms is None or not _even(kernel):
            return None
        use = _Use(x, kernel, inputs[2:], terms)
        self._uses.setdefault(kernel.weight, []).append(use)
        y = self._made(use, node, context)
        return Result(y, lambda cotangent: self._back(use, cotangent, y, context))

    def _made(self, use: _Use, node: Node, context: Context) -> Signal:
        x, law, fan_in = use.x, use.kernel.law, use.terms[0]
        assert law is not None
        products = self._forward.setdefault(use.kernel.weight, Products(fan_in * law.variance))
        values = _shaped(products.of(use.read, context.normals), x.places)
        for bias in use.rest:
            values = values + self._bias(bias, context)
        seen, width = context.seen(x), context.size(node.name, "channel")
        return Signal(values, x.places, width, x.examples, seen, Chain.of(values, seen), terms=fan_in)

    def _back(self, use: _Use, cotangent: Cotangent, y: Signal, context: Context) -> Contributions:
        law, weight = use.kernel.law, use.kernel.weight
        assert law is not None
        use.chance = context.seen_back(cotangent, y)
        parts = []
        for each, together in split_up(cotangent, y.places):
            given = _flat(sampled(each, y.places, self._source), y.places)
            use.back.append((given, together))
            products = self._backward.setdefault((weight, together), Products(use.terms[1] * law.variance))
            found = _shaped(products.of(given, self._source), y.places)
            parts.append(as_part(found, together=together))
        back = replace(cotangent, parts=tuple(parts), chance=use.chance)
        return [back, *[None] * (1 + len(use.rest))]

    def _bias(self, bias: Value, context: Context) -> Array:
        """Return the same draw of a bias at every use."""
        if not isinstance(bias, Kernel) or bias.law is None:
            return np.zeros((1, 1, 1))
        if bias.weight not in self._biases:
            drawn = context.normals.take(1)[:, None, :] if bias.law.variance else 0.0
            self._biases[bias.weight] = bias.law.mean + np.sqrt(bias.law.variance) * drawn
        return self._biases[bias.weight]

    def realized(self, node: Node, cotangent: Cotangent, value: Signal, context: Context) -> Cotangent:
        """Return a gradient as a population that was drawn, where its ways part and meet the same weights."""
        if not self._met.before[node.name]:
            return cotangent
        parts = []
        for each, together in split_up(cotangent, value.places):
            if all(part.known for part in each.parts):
                parts += each.parts
            else:
                parts.append(as_part(sampled(each, value.places, self._source), together=together))
        return replace(cotangent, parts=tuple(parts))

    def take_down(self, context: Context) -> None:
        """Take down the gradients of weights and biases: sums over all uses, examples and positions."""
        for weight, uses in self._uses.items():
            of_kernel = of_bias = 0.0
            for one, other in itertools.product(uses, uses):
                if one.x.places != other.x.places:
                    continue
                inner = one.read.T @ other.read / len(one.read)
                counts = _counts(one.x)
                for outer in _outer(one, other):
                    of_kernel += float(np.sum(counts * outer * inner))
                    of_bias += float(np.sum(counts * outer))
            first = next((use for use in uses if use.back), None)
            if first is None:
                continue
            context.gradient(weight, of_kernel * first.kernel.factor**2, first.chance)
            for bias in first.rest:
                if isinstance(bias, Kernel):
                    context.of_values(bias, of_bias, first.chance, 2.0)


def _counts(x: Signal) -> Array:
    columns = SAMPLES * len(x.places)
    return pair_counts(x.places, max(x.examples, 1)).reshape(columns, columns)


def _outer(one: _Use, other: _Use) -> Iterator[Array]:
    """Yield E[g g'] of two uses."""
    same = np.kron(np.eye(SAMPLES), np.ones((len(one.x.places),) * 2))
    for (back, together), (beside, alike) in itertools.product(one.back, other.back):
        if together == alike:
            found = back.T @ beside / len(back)
            yield found if together else found * same


def _even(kernel: Kernel) -> bool:
    """Return whether all parts of a kernel have one distribution, of mean 0."""
    law, each = kernel.law, [part.variance for part in kernel.parts]
    return law is not None and not law.mean and (not each or max(each) <= _PARTS * min(each))


def _flat(values: Array, places: Places) -> Array:
    """Return a population with a column for each sample and point."""
    return np.broadcast_to(values, (len(values), SAMPLES, len(places))).reshape(len(values), -1)


def _shaped(values: Array, places: Places) -> Array:
    return values.reshape(len(values), SAMPLES, len(places))
