"""What rules share: the graph, its axes, random numbers, and the gradients of weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from fanin.graph.axes import Atom, AtomRole, Axes
from fanin.graph.signal import Node, SignalGraph
from fanin.theory.propagation.cotangent import Cotangent, Part
from fanin.theory.propagation.covariance import Covariance, mean_place, normal, product
from fanin.theory.propagation.draws import Array, Normals
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts
from fanin.theory.propagation.rotary import Turns
from fanin.theory.propagation.signal import IMAGINED, STILL, Fixed, Kernel, Result, Signal, Value


@dataclass(frozen=True)
class Gradient:
    """The gradient of a weight: E[dw^2] of each value, and its relative changes by chance."""

    second_moment: float
    chance: Array


class Inner(NamedTuple):
    """What a layer inside of a node does, over all steps.

    Args:
        value: Its outputs.
        cotangent: The gradient with respect to them; None where there is none.
    """

    value: Value
    cotangent: Cotangent | None = None


@dataclass(eq=False)
class Context:
    """A graph on its way through the rules.

    Args:
        graph: The graph.
        axes: What its values' axes are made of.
        normals: Where populations come from.
        points: Points of a block that each node needs.
        forward: What a node makes of its inputs, for graphs inside of nodes.
        gradients: What came out for weights.
        beside: Weights that a weight is used with as one, as a gain with its kernel; and by how much larger
            the second moment of their gradients is.
        inside: What came out for layers inside of nodes, by the node and the layer.
        again: Draws of weights that are used element by element, by the weight and the node, where all steps
            have the same ones; None where there are no steps.
        turns: Angles that queries and keys of attentions are turned by, by the node.
    """

    graph: SignalGraph
    axes: Mapping[str, Axes]
    normals: Normals
    points: Mapping[str, int]
    forward: Callable[[Node, list[Value], Context], Result]
    gradients: dict[str, list[Gradient]] = field(default_factory=dict)
    beside: dict[str, dict[str, float]] = field(default_factory=dict)
    inside: dict[tuple[str, str], Inner] = field(default_factory=dict)
    turns: Mapping[str, Turns] = field(default_factory=dict)
    again: dict[tuple[str, str], Array] | None = None
    _drawn_uses: dict[str, list[dict[Any, Array]]] = field(default_factory=dict)
    _noisy: dict[int, tuple[Signal, Signal]] = field(default_factory=dict)

    def size(self, name: str, role: AtomRole) -> int:
        """Return how many channels, positions or examples a node's value has."""
        return math.prod(atom.size for atom in self.atoms(name, role))

    def atoms(self, name: str, role: AtomRole) -> list[Atom]:
        """Return a value's atoms of a role, outer ones first."""
        return [atom for axis in self.axes[name] for atom in axis if atom.role == role]

    def seen(self, signal: Signal) -> Array:
        """Return the relative changes of a signal's second moment by chance, that of its own channels too.

        They are the same for all that read it.
        """
        if signal.noise is not None:
            return signal.chance + signal.noise
        if id(signal) not in self._noisy:
            self._noisy[id(signal)] = signal, self.noisy(signal)
        return self.seen(self._noisy[id(signal)][1])

    def noisy(self, signal: Signal, inherited: Array = STILL) -> Signal:
        """Return a signal with the chance of its own channels.

        Args:
            signal: Without.
            inherited: What of it is the same as in what it is made of.
        """
        more = np.maximum(signal.own_chance - np.var(inherited, axis=1), 0.0)
        return replace(signal, noise=inherited + self.more(more[:, None]))

    def seen_back(self, cotangent: Cotangent, signal: Signal) -> Array:
        """Return the same of a gradient with respect to a signal."""
        own = cotangent.spread(signal.places, signal.examples) / max(signal.width, 1)
        noise = cotangent.noise
        return cotangent.chance + noise + self.more(own - np.var(noise, axis=1, keepdims=True))

    def settled(self, cotangent: Cotangent, signal: Signal) -> Cotangent:
        """Return a gradient with respect to a signal that nothing is added to any more.

        What few channels make of it is the same on all ways that it goes.
        """
        parts = cotangent.settled().parts
        return replace(cotangent, parts=tuple(self._with_noise(part, signal) for part in parts))

    def _with_noise(self, part: Part, signal: Signal) -> Part:
        if part.known:
            return part
        plain = Cotangent((replace(part, slope=np.ones((1, 1, 1))),))
        own = plain.spread(signal.places, signal.examples) / max(signal.width, 1)
        noise = part.noise
        return replace(part, noise=noise + self.more(own - np.var(noise, axis=1, keepdims=True)))

    def more(self, variance: Array | float) -> Array:
        """Return independent relative changes of a variance, (2, IMAGINED)."""
        drawn = self.normals.independent((2, IMAGINED))
        drawn = (drawn - np.mean(drawn, axis=1, keepdims=True)) / np.std(drawn, axis=1, keepdims=True)
        return np.sqrt(np.maximum(variance, 0.0)) * drawn

    def population(self, wanted: Covariance) -> Array:
        """Return a new normal population."""
        return normal(self.normals, wanted)

    def gradient(self, weight: str, second_moment: float, chance: Array) -> None:
        """Take down what a weight's use adds to E[dw^2]."""
        if weight:
            # What a norm takes away of a gradient may be all of it, and by rounding more.
            self.gradients.setdefault(weight, []).append(Gradient(max(second_moment, 0.0), chance))
        for other, ratio in self.beside.get(weight, {}).items():
            self.gradient(other, second_moment * ratio, chance)

    def used_with(self, kernel: Kernel, others: Mapping[Kernel, float], size: int) -> None:
        """Say which weights make one together.

        Args:
            kernel: The one whose gradient is taken down, of its value with all factors.
            others: Each with the derivative of the whole with respect to it, a root mean square.
            size: Values of the whole, each of which depends on one of every weight's.
        """
        for other, slope in others.items():
            uses = size / max(math.prod(other.shape), 1)
            if kernel.weight and kernel.factor and other.weight and other.weight != kernel.weight:
                ratio = uses * (slope * other.factor / kernel.factor) ** 2
                self.beside.setdefault(kernel.weight, {})[other.weight] = ratio

    def of_elements(self, kernel: Kernel, node: Node, cotangent: Cotangent, like: Signal) -> None:
        """Take down the gradient of a weight that is used element by element: a sum over all of its uses.

        Args:
            kernel: The weight, of the shape of a node's last axes.
            node: Which uses it.
            cotangent: The gradients with respect to the uses.
            like: The node's value.
        """
        spanned, places, found = (
            self.spanned(kernel.shape, node),
            like.places,
            cotangent.covariance(like.places),
        )
        spread = cotangent.spread_of_sums(places, like.examples)
        if "position" in spanned:
            found, places, spread = mean_place(found, places), Places(), 2.0
        total = self.total(found, places, like.examples)
        if "position" not in spanned:
            total += self.beside_others(kernel, cotangent, like)
        # Channels that share a value, as those do which were positions, have independent gradients.
        channels = self.size(node.name, "channel") / self._spanned_channels(kernel.shape, node)
        self.of_values(kernel, channels * total, cotangent.chance, spread)

    def beside_others(self, kernel: Kernel, cotangent: Cotangent, like: Signal) -> float:
        """Return what E[g^2] of a weight gains as gradients of other uses, that were drawn too, add up.

        Args:
            kernel: The weight.
            cotangent: The gradients with respect to the uses.
            like: The node's value.
        """
        uses, places = self._drawn_uses.setdefault(kernel.weight, []), like.places
        drawn = {(*key, places): values for key, values in cotangent.drawn(places).items()}
        pairs = [(mine, use[key], key[0]) for use in uses for key, mine in drawn.items() if key in use]
        uses.append(drawn)
        products = (product(mine, theirs, together=together) for mine, theirs, together in pairs)
        return sum(2 * self.total(each, places, like.examples) for each in products)

    def of_values(self, kernel: Kernel, second_moment: float, chance: Array, spread: float) -> None:
        """Take down the gradient of a weight whose values have independent ones.

        Args:
            kernel: The weight.
            second_moment: E[g^2].
            chance: Relative changes of that.
            spread: Relative variance of g^2 from value to value.
        """
        own = self.more(spread / max(math.prod(kernel.shape), 1))
        self.gradient(kernel.weight, second_moment * kernel.factor**2, chance + own)

    def total(self, products: Covariance, places: Places, examples: int) -> float:
        """Return the sum of products over all pairs of (example, position)."""
        return float(np.sum(pair_counts(places, max(examples, 1)) * products))

    def laid(self, value: Kernel | Fixed, node: Node, like: Places) -> Array:
        """Return a weight or a constant as a population beside a node's other inputs.

        Args:
            value: What is used element by element.
            node: Which uses it.
            like: Places of its value.

        Returns:
            (rows or 1, samples or 1, points or 1).
        """
        if isinstance(value, Fixed):
            return self._constant(value, node, like)
        if self.again is None:
            return self._drawn(value, node, like)
        if (value.weight, node.name) not in self.again:
            self.again[value.weight, node.name] = self._drawn(value, node, like)
        return self.again[value.weight, node.name]

    def _drawn(self, kernel: Kernel, node: Node, like: Places) -> Array:
        roles = self.spanned(kernel.shape, node)
        law = kernel.law
        assert law is not None
        if law.variance == 0 or not roles:
            return np.full((1, 1, 1), law.mean)
        rows, points = "channel" in roles, "position" in roles
        columns = len(like) if points else 1
        if rows:
            return self.elements(kernel, columns)
        return law.mean + math.sqrt(law.variance) * np.zeros((1, 1, columns))

    def elements(self, kernel: Kernel, columns: int = 1) -> Array:
        """Return a draw of a weight along its last axis, of channels, by part, (rows, 1, columns)."""
        law, parts, width = kernel.law, kernel.parts, kernel.shape[-1]
        assert law is not None
        if not parts or kernel.axis != len(kernel.shape) - 1:
            parts = (law,)
        mean, sd = np.array([(part.mean, math.sqrt(part.variance)) for part in parts]).T
        part = self.channels(width) * len(parts) // width
        return mean[part, None, None] + sd[part, None, None] * self.normals.take(columns)[:, None, :]

    def spanned(self, shape: tuple[int, ...], node: Node) -> set[AtomRole]:
        """Return the roles of the axes that a value of a shape spans beside a node's."""
        return {atom.role for atom in self._spanned_atoms(shape, node)}

    def _spanned_atoms(self, shape: tuple[int, ...], node: Node) -> list[Atom]:
        axes = self.axes[node.name][len(node.shape) - len(shape) :]
        return [atom for axis, size in zip(axes, shape, strict=True) for atom in axis if size > 1]

    def _spanned_channels(self, shape: tuple[int, ...], node: Node) -> int:
        return math.prod(atom.size for atom in self._spanned_atoms(shape, node) if atom.role == "channel")

    def _constant(self, value: Fixed, node: Node, like: Places) -> Array:
        if value.array is None:
            deviation = math.sqrt(max(value.second - value.mean**2, 0.0))
            return (value.mean + deviation * self.normals.take(1))[:, None, :]
        if value.array.ndim == 0 or value.array.size == 1:
            return np.full((1, 1, 1), float(value.array.reshape(())))
        return self._picked(value.array, node, like)

    def _picked(self, array: Array, node: Node, like: Places) -> Array:
        """Return a constant's values at each row's channel, at each sample and point."""
        axes = self.axes[node.name][len(node.shape) - array.ndim :]
        index = self._index(node.name, like)
        places = []
        for axis, size in zip(axes, array.shape, strict=True):
            if size == 1:
                places.append(np.zeros((1, 1, 1), int))
                continue
            flat: np.ndarray = np.zeros((1, 1, 1), int)
            for atom in axis:
                flat = flat * atom.size + index[atom.number]
            places.append(flat)
        return np.asarray(array[tuple(np.broadcast_arrays(*places))], float)

    def _index(self, name: str, like: Places) -> dict[int, np.ndarray]:
        """Return the index of each row, sample or point along every atom of a value."""
        found: dict[int, np.ndarray] = {}
        flats: dict[AtomRole, np.ndarray] = {
            "channel": self.channels(self.size(name, "channel"))[:, None, None],
            "batch": np.arange(SAMPLES)[None, :, None],
            "position": like.positions[None, None, :],
        }
        for role, flat in flats.items():
            atoms = self.atoms(name, role)
            if atoms:
                total = math.prod(atom.size for atom in atoms)
                # Of one axis: NumPy 2.4 gets more than 8192 numbers of several axes wrong.
                indices = np.unravel_index(flat.ravel() % total, [atom.size for atom in atoms])
                found |= {a.number: at.reshape(flat.shape) for a, at in zip(atoms, indices, strict=True)}
        return found

    def channels(self, width: int) -> np.ndarray:
        """Return the channel that each row stands for, in order, (rows,)."""
        rows = self.normals.rows
        jitter = np.random.default_rng(width).random(rows) if width > rows else 0.5
        return ((np.arange(rows) + jitter) * width / rows).astype(int)

    def along(self, name: str, axis: int) -> np.ndarray:
        """Return the index along an axis of channels that each row of a node's value stands for, (rows,)."""
        atoms = self.atoms(name, "channel")
        sizes = [atom.size for atom in atoms]
        each = np.unravel_index(self.channels(math.prod(sizes)), sizes)
        index = {atom.number: at for atom, at in zip(atoms, each, strict=True)}
        found = np.zeros(self.normals.rows, int)
        for atom in self.axes[name][axis]:
            found = found * atom.size + index[atom.number]
        return found
