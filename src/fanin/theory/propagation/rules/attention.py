r"""Attention, by many random heads: queries and keys are drawn, with as many features as a head has.

    l_ij = scale q_i . k_j,  A = softmax l,  E[y_i y_i'] = E sum_jj' A_ij A_i'j' E[v_j v_j']

Backward, with h_ij = g_i . v_j:

    E[g_v g_v'] = E sum_ii' A_ij A_i'j' E[g_i g_i'],  dl_ij = A_ij (h_ij - sum_k A_ik h_ik),
    g_q = scale sum_j dl_ij k_j,  g_k = scale sum_i dl_ij q_i

References:
    Hron et al. (2020), arXiv:2006.10540 (the limit of many heads); Yang (2019), arXiv:1910.12478, app. A.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, alike, joined, split, to_blocks
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts
from fanin.theory.propagation.signal import (
    Chain,
    Contributions,
    Fixed,
    Kernel,
    Result,
    Signal,
    Unknown,
    Value,
)

_NUMBERS = 1_500_000  # logits in all, for the sake of memory
_LARGE = 1e4  # second moments of what is added to logits, and hides nothing
_HEADS = 8, 256  # fewest and most


def attention(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return what attention makes of queries, keys and values."""
    for value in inputs:
        if isinstance(value, Unknown):
            return Result(value)
    query, key, value = inputs[:3]
    if not (isinstance(query, Signal) and isinstance(key, Signal) and isinstance(value, Signal)):
        return Result(Unknown(f"{node.name}: its queries, keys or values are no signals"))
    mask = inputs[3] if len(inputs) > 3 else None
    causal = bool(node.get("causal")) or (isinstance(mask, Fixed) and mask.mask == "causal")
    bias = _bias(mask)
    if bias is None:
        return Result(Unknown(f"{node.name}: its mask is not known"))
    heads = _Heads.drawn(node, query, key, causal, bias, context)
    wanted = heads.outputs(value.covariance) + _overlap(node, query, key, value, heads, context)
    places = query.places
    values = context.population(alike(wanted, places))
    chance = context.seen(value)
    width = context.size(node.name, "channel")
    y = Signal(
        values, places, width, query.examples, chance, chain=Chain(values, chance, lambda z: z), normal=True
    )
    shared = max(node.get("heads", 1) / max(node.get("key_heads") or node.get("heads", 1), 1), 1.0)

    def pullback(cotangent: Cotangent) -> Contributions:
        outer = cotangent.covariance(places)
        seen = context.seen_back(cotangent, y)
        logits = heads.logit_gradients(outer, value.covariance, _features(node, context, 2), context)
        scale = node["scale"] ** 2
        found = (
            alike(scale * heads.of_queries(logits), places),
            alike(scale * shared * heads.of_keys(logits, heads.query_products), key.places),
            alike(shared * heads.of_keys(heads.weights, outer), key.places),
        )
        back = [Cotangent.normal(each, seen, cotangent.drift) for each in found]
        return [*back, *[None] * (len(inputs) - 3)]

    return Result(y, pullback)


def _bias(mask: Value | None) -> float | None:
    """Return the variance of what is added to logits; None where a mask is not known."""
    if mask is None or (isinstance(mask, Fixed) and (mask.mask or not mask.second)):
        return 0.0
    if isinstance(mask, Kernel) and mask.law is not None and mask.law.second_moment < _LARGE:
        return mask.law.variance
    return None


def _overlap(
    node: Node, query: Signal, key: Signal, value: Signal, heads: _Heads, context: Context
) -> Covariance:
    """Return what finite width adds: positions that overlap by chance are weighed alike, and add up.

    The products x_j . x_j' / n of inputs at two positions have variance 1 / n. As much more as logits then
    have in common, weights have, and by as much the values' sum is larger.
    """
    share = key.places.share
    level = [
        float(np.diag(split(found)[0]) @ share / key.places.total)
        for found in (key.covariance, value.covariance)
    ]
    apart = 1 - float(np.mean(np.sum(heads.weights**2, axis=-1)))
    size = node["scale"] ** 2 * _features(node, context, 0) * level[0] * level[1] * apart
    return query.covariance * size / max(key.width, value.width)


def _features(node: Node, context: Context, operand: int) -> int:
    return context.graph[node.inputs[operand]].shape[-1]


@dataclass(frozen=True, eq=False)
class _Heads:
    """Random heads.

    Args:
        queries: Places of the queries.
        keys: Places of the keys.
        query: Drawn queries at points, (heads, samples, points, features).
        key: Drawn keys at all positions, (heads, samples, positions, features).
        weights: How queries weigh keys, (heads, samples, points, positions).
    """

    queries: Places
    keys: Places
    query: Array
    key: Array
    weights: Array

    @classmethod
    def drawn(
        cls, node: Node, query: Signal, key: Signal, causal: bool, bias: float, context: Context
    ) -> _Heads:
        features = _features(node, context, 0)
        numbers = SAMPLES * key.places.total * max(len(query.places), features)
        heads = int(np.clip(_NUMBERS // numbers, *_HEADS))
        q = _at_points(query.covariance, heads, features, context)
        k = _everywhere(key.covariance, key.places, heads, features, context)
        logits = node["scale"] * q @ k.swapaxes(-1, -2)
        if bias:
            logits = logits + np.sqrt(bias) * context.normals.independent((heads, 1, *logits.shape[2:]))
        if causal:
            later = np.arange(key.places.total) > query.places.positions[:, None]
            logits = np.where(later, -np.inf, logits)
        return cls(query.places, key.places, q, k, _softmax(logits))

    def outputs(self, values: Covariance) -> Covariance:
        """Return E sum_jj' A_ij A_i'j' E[v_j v_j'], (samples, points, samples, points)."""
        common, own = _parts(values, self.keys)
        sums = self._blocks(self.weights)  # (heads, samples, points, blocks)
        found = np.einsum("hsib,sbtc,htjc->sitj", sums, common, sums, optimize=True)
        for sample, other in ((0, 0), (1, 1), (0, 1), (1, 0)):
            mine = own[int(sample != other)][self._owner]
            weighed = self.weights[:, sample] * mine
            found[sample, :, other] += np.einsum(
                "hik,hjk->ij", weighed, self.weights[:, other], optimize=True
            )
        return found / len(self.weights)

    def logit_gradients(
        self, outer: Covariance, values: Covariance, features: int, context: Context
    ) -> Array:
        """Return gradients of the logits, (heads, samples, points, positions)."""
        heads = len(self.weights)
        g = _at_points(outer, heads, features, context)
        v = _everywhere(values, self.keys, heads, features, context)
        h = g @ v.swapaxes(-1, -2)
        return self.weights * (h - np.sum(self.weights * h, axis=-1, keepdims=True))

    def of_queries(self, logits: Array) -> Covariance:
        """Return second moments of sum_j dl_ij k_j between points of queries."""
        g = logits @ self.key
        flat = g.transpose(1, 2, 0, 3).reshape(SAMPLES * len(self.queries), -1)
        shape = SAMPLES, len(self.queries), SAMPLES, len(self.queries)
        return (flat @ flat.T / flat.shape[1]).reshape(shape)

    @property
    def query_products(self) -> Array:
        """E[q_i q_i'] of each head, (heads, samples, points, samples, points)."""
        products = np.einsum("hsid,htjd->hsitj", self.query, self.query, optimize=True)
        return products / self.query.shape[-1]

    def of_keys(self, weights: Array, outer: Array) -> Covariance:
        """Return E sum_ii' a_ij a_i'j' x_ii' between points of keys; queries stand for all positions.

        Args:
            weights: a, (heads, samples, points, positions).
            outer: x, (samples, points, samples, points), or of each head.
        """
        within, between = split(pair_counts(self.queries, SAMPLES))
        result = []
        for other, counts in ((0, within), (1, between)):
            left, right = weights[:, 0], weights[:, other]
            moved = (outer[..., 0, :, other, :] * counts) @ right
            diagonal = np.einsum("hik,hik->k", left, moved) / len(weights)
            blocks = np.einsum("hib,hic->bc", self._blocks(left), self._blocks(moved)) / len(weights)
            result.append(self._at_points(diagonal, blocks))
        return joined(*result)

    @property
    def _owner(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.keys.sizes)), self.keys.sizes)

    def _blocks(self, weights: Array) -> Array:
        """Return sums over the positions of each block."""
        return np.add.reduceat(weights, np.cumsum([0, *self.keys.sizes[:-1]]), axis=-1)

    def _at_points(self, diagonal: Array, blocks: Array) -> Array:
        """Return a matrix between points of keys from its diagonal at all keys and its sums over blocks."""
        sizes = np.asarray(self.keys.sizes, float)
        own = self._blocks(diagonal)
        pairs = np.outer(sizes, sizes) - np.diag(sizes)
        inner = blocks - np.diag(own)
        mean = np.divide(inner, pairs, out=np.zeros_like(inner), where=pairs > 0)
        owner = self.keys.owner
        found = mean[np.ix_(owner, owner)]
        np.fill_diagonal(found, (own / sizes)[owner])
        return found


def _at_points(found: Covariance, heads: int, features: int, context: Context) -> Array:
    """Return normal vectors at points, (heads, samples, points, features)."""
    points = found.shape[1]
    root = _root(found.reshape(SAMPLES * points, -1))
    drawn = root @ context.normals.independent((heads, root.shape[1], features))
    return drawn.reshape(heads, SAMPLES, points, features)


def _everywhere(found: Covariance, places: Places, heads: int, features: int, context: Context) -> Array:
    """Return normal vectors at all positions, (heads, samples, positions, features)."""
    common, own = _parts(found, places)
    owner = np.repeat(np.arange(len(places.sizes)), places.sizes)
    result = _at_points(common, heads, features, context)[:, :, owner]
    if not np.any(own[0] > 0):
        return result
    plus, minus = (
        np.sqrt(np.maximum(both, 0) / 2)[owner].astype(np.float32)
        for both in (own[0] + own[1], own[0] - own[1])
    )
    drawn = context.normals.independent((2, heads, places.total, features))
    together, against = drawn[0] * plus[:, None], drawn[1] * minus[:, None]
    result[:, 0] += together + against
    result[:, 1] += together - against
    return result


def _parts(inner: Covariance, places: Places) -> tuple[Covariance, tuple[Array, Array]]:
    """Return what positions of blocks have in common, (samples, blocks, samples, blocks), and of their own.

    Of their own: within an example and between two, each (blocks,).
    """
    result, own = [], []
    for matrix in split(inner):
        same, apart = to_blocks(matrix, places)
        result.append(apart)
        own.append(same - np.diag(apart))
    return joined(*result), (own[0], own[1])


def _root(matrix: Array) -> NDArray[np.float32]:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)), np.float32)


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)
