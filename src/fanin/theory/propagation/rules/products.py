r"""Products of two signals outside of attention: scores, what weights make of values, linear attention.

Of positions all are alike. A product sums over n channels, which are independent, and over m positions:

    z = sum x y:  E[z z'] = n (m E[x x'] E[y y'] where both sum over the same position
                               + m (m - 1) E[x x'] E[y y'] where they do not) + n (n - 1) m^2 E[x]^2 E[y]^2

Operands are taken to be independent. Of all pairs of queries and keys, those of one query are told apart from
others. Gradients are products of the same kind, g_x = sum g y.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from fanin.graph.axes import letters
from fanin.graph.signal import Node
from fanin.theory.propagation.alignment import between
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, from_blocks, joined, split, to_blocks
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.rules.shares import lines
from fanin.theory.propagation.signal import Contributions, Result, Signal, Unknown


def of_two(node: Node, x: Signal, y: Signal, context: Context) -> Result:
    """Return the product of two signals."""
    (of_x, of_y), out = letters(node["equation"])
    sizes = _Sizes.of(node, (of_x, of_y, out), context)
    reason = _why_not(node, x, y, sizes, {*of_x, *of_y} - {*out})
    if reason:
        return Result(Unknown(f"{node.name}: {reason}"))
    one, other = (_Factor.of(term, z, z.covariance, z.mean, sizes) for term, z in ((of_x, x), (of_y, y)))
    places = sizes.places(out, context.points[node.name])
    wanted, mean = _product(one, other, out, sizes, places)
    values = context.population(wanted - mean**2) + mean
    chance = context.seen(x) + context.seen(y)
    width = context.size(node.name, "channel")
    z = Signal(
        values,
        places,
        width,
        max(x.examples, y.examples),
        chance,
        chain=Chain.of(values, chance),
        normal=True,
    )

    def pullback(cotangent: Cotangent) -> Contributions:
        gradient = _Factor.of(out, z, cotangent.covariance(places), 0.0, sizes)
        seen = context.seen_back(cotangent, z)
        found: Contributions = []
        for mine, factor, signal in ((of_x, other, x), (of_y, one, y)):
            whole = sizes.places(mine, signal.places.points)
            if signal.places.sizes != whole.sizes:
                whole = Places((signal.places.total,), signal.places.points)
            back, _ = _product(gradient, factor, mine, sizes, whole)
            found.append(cotangent.through(between(back, whole, signal.places), seen))
        return found

    return Result(z, pullback)


def _why_not(node: Node, x: Signal, y: Signal, sizes: _Sizes, summed: set[str]) -> str:
    """Return why nobody knows a product, or nothing."""
    if node.inputs[0] == node.inputs[1] or (x.chain and y.chain and x.chain.root is y.chain.root):
        return "a product of a signal with itself"
    if any(letter in sizes.examples for letter in summed):
        return "a sum over examples"
    if len(x.values) == 1 or len(y.values) == 1:
        return "a product of what all channels share"
    return ""


@dataclass(frozen=True)
class _Sizes:
    """How many channels and positions each letter of an equation stands for.

    Args:
        channel: By letter.
        position: By letter.
        examples: Letters that stand for examples.
    """

    channel: dict[str, int]
    position: dict[str, int]
    examples: frozenset[str]

    @classmethod
    def of(cls, node: Node, terms: tuple[str, str, str], context: Context) -> _Sizes:
        channel: dict[str, int] = {}
        position: dict[str, int] = {}
        examples = set()
        for name, term in zip((*node.inputs, node.name), terms, strict=True):
            for letter, axis in zip(term, context.axes[name], strict=True):
                of = {
                    role: [a.size for a in axis if a.role == role]
                    for role in ("channel", "position", "batch")
                }
                channel.setdefault(letter, math.prod(of["channel"]))
                position.setdefault(letter, math.prod(of["position"]))
                if of["batch"]:
                    examples.add(letter)
        return cls(channel, position, frozenset(examples))

    def places(self, term: str, points: int) -> Places:
        """Return the places of an operand: the positions of its last letter that has any are lines."""
        line = self.line(term)
        length = self.position[line] if line else 1
        return lines(self.positions(term) // length, length, points)

    def line(self, term: str) -> str:
        """Return the last letter of an operand that stands for positions."""
        return next((letter for letter in reversed(term) if self.position[letter] > 1), "")

    def channels(self, term: set[str]) -> int:
        """Return how many channels some letters stand for together."""
        return math.prod(self.channel[letter] for letter in term)

    def positions(self, term: str | set[str]) -> int:
        """Return how many positions some letters stand for together."""
        return math.prod(self.position[letter] for letter in term)


@dataclass(frozen=True, eq=False)
class _Factor:
    """An operand, or a gradient with respect to the product.

    Args:
        letters: Of its axes.
        line: The letter of the positions of one line, or "".
        levels: Second moments of a position with itself, with another one of its line, and with one of
            another line; each of one example and of two, (2, 3).
        mean: Its mean.
    """

    letters: str
    line: str
    levels: Array
    mean: float

    @classmethod
    def of(cls, term: str, x: Signal, found: Covariance, mean: float, sizes: _Sizes) -> _Factor:
        if x.places.sizes == sizes.places(term, x.places.points).sizes and len(x.places.sizes) == 2:
            places = x.places
        else:
            places = Places((x.places.total,), 2)
        blocks = [to_blocks(matrix, places) for matrix in split(between(found, x.places, places))]
        levels = [[same @ places.sizes / places.total, apart[0, 0], apart[0, -1]] for same, apart in blocks]
        return cls(term, sizes.line(term), np.array(levels), mean)

    def at(self, differ: set[str]) -> Array:
        """Return second moments where some letters are other positions, of one example and of two, (2,)."""
        mine = differ & {*self.letters}
        return self.levels[:, 0 if not mine else 1 if mine == {self.line} else 2]


def _product(
    one: _Factor, other: _Factor, out: str, sizes: _Sizes, places: Places
) -> tuple[Covariance, float]:
    """Return second moments and the mean of sums of products of two factors."""
    summed = {*one.letters, *other.letters} - {*out}
    channels = sizes.channels(summed)
    own = [letter for letter in out if sizes.position[letter] > 1]
    mean = channels * sizes.positions(summed) * one.mean * other.mean
    extra = (channels - 1) / channels * mean**2
    pairs = {
        differ: channels * _over_positions(one, other, {*differ}, summed, sizes) + extra
        for number in range(len(own) + 1)
        for differ in itertools.combinations(own, number)
    }
    counts = {differ: _pairs(differ, own, sizes) for differ in pairs}
    line = tuple(letter for letter in own if letter == sizes.line(out))
    near = pairs[line] if len(places.sizes) == 2 else _mean([d for d in pairs if d], pairs, counts)
    far = _mean([differ for differ in pairs if differ and differ != line], pairs, counts)
    result = []
    for at in (0, 1):
        apart = np.full((len(places.sizes),) * 2, far[at])
        apart[0, 0] = near[at]
        result.append(from_blocks(np.full(len(places.sizes), pairs[()][at]), apart, places))
    return joined(*result), mean


def _mean(
    which: list[tuple[str, ...]], pairs: dict[tuple[str, ...], Array], counts: dict[tuple[str, ...], float]
) -> Array:
    """Return the mean over some kinds of pairs, (2,)."""
    total = sum(counts[differ] for differ in which)
    return sum((counts[differ] * pairs[differ] for differ in which), np.zeros(2)) / max(total, 1.0)


def _over_positions(one: _Factor, other: _Factor, differ: set[str], summed: set[str], sizes: _Sizes) -> Array:
    """Return the sum over pairs of positions that are summed over, (2,)."""
    number = sizes.positions(summed)
    same = number * one.at(differ) * other.at(differ)
    moved = {letter for letter in summed if sizes.position[letter] > 1}
    apart = number * (number - 1) * one.at(differ | moved) * other.at(differ | moved)
    return same + apart


def _pairs(differ: tuple[str, ...], own: list[str], sizes: _Sizes) -> float:
    """Return how many pairs of positions of a product differ along some letters only."""
    factors = [(sizes.position[letter], letter in differ) for letter in own]
    return math.prod(float(size * (size - 1) if other else size) for size, other in factors)
