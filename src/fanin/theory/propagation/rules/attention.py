r"""Attention, by many random heads: logits are normal, a softmax of them weighs the values.

    l_ij = scale q_i . k_j,   E[l_ij l_i'j'] = scale^2 d E[q_i q_i'] E[k_j k_j']
    E[y_i y_i'] = E sum_jj' A_ij A_i'j' E[v_j v_j']
    backward: E[g_v g_v'] = E sum_ii' A_ij A_i'j' E[g_i g_i'],  dl_ij = A_ij (h_ij - sum_j' A_ij' h_ij'),
    h_ij = g_i . v_j,  E[g_q g_q'] = scale^2 E sum dl_ij dl_i'j' E[k_j k_j'], and the same for keys

References:
    Hron et al. (2020), arXiv:2006.10540 (the limit of many heads); Yang (2019), arXiv:1910.12478, app. A.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, alike, joined, split
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts
from fanin.theory.propagation.signal import (
    Chain,
    Contributions,
    Fixed,
    Result,
    Signal,
    Unknown,
    Value,
)

_NUMBERS = 3_000_000  # logits in all, for the sake of memory
_HEADS = 16, 512  # fewest and most


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
    if mask is not None and not (isinstance(mask, Fixed) and mask.mask):
        return Result(Unknown(f"{node.name}: its mask is not known"))
    heads = _Heads.drawn(node, query, key, causal, context)
    wanted = heads.over_keys(heads.weights, value.covariance)
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
        features = _features(node, context, 2)
        logits = heads.logit_gradients(outer, value.covariance, features, context)
        scale = node["scale"] ** 2
        found = (
            alike(scale * heads.over_keys(logits, key.covariance), places),
            alike(scale * shared * heads.over_queries(logits, query.covariance), key.places),
            alike(shared * heads.over_queries(heads.weights, outer), key.places),
        )
        back = [Cotangent.normal(each, seen, cotangent.drift) for each in found]
        return [*back, *[None] * (len(inputs) - 3)]

    return Result(y, pullback)


def _features(node: Node, context: Context, operand: int) -> int:
    return context.graph[node.inputs[operand]].shape[-1]


@dataclass(frozen=True, eq=False)
class _Heads:
    """Random heads: for each, how points of queries weigh all keys.

    Args:
        weights: (heads, samples, query points, keys).
        queries: Places of the queries.
        keys: Places of the keys.
    """

    weights: Array
    queries: Places
    keys: Places

    @classmethod
    def drawn(cls, node: Node, query: Signal, key: Signal, causal: bool, context: Context) -> _Heads:
        numbers = SAMPLES * len(query.places) * key.places.total
        heads = int(np.clip(_NUMBERS // numbers, *_HEADS))
        features = _features(node, context, 0)
        size = node["scale"] ** 2 * features
        logits = _field(query.covariance * size, query.places, key.covariance, key.places, heads, context)
        if causal:
            later = np.arange(key.places.total) > query.places.positions[:, None]
            logits = np.where(later, -np.inf, logits)
        return cls(_softmax(logits), query.places, key.places)

    def over_keys(self, weights: Array, inner: Covariance) -> Covariance:
        """Return E sum_jj' a_ij a_i'j' E[x_j x_j'], (samples, points, samples, points)."""
        common, own = _parts(inner, self.keys)
        sums = self._blocks(weights)  # (heads, samples, points, blocks)
        found = np.einsum("hsib,sbtc,htjc->sitj", sums, common, sums, optimize=True)
        same = np.einsum("hsik,k,hsjk->sij", weights, own[0][self._owner], weights, optimize=True)
        apart = np.einsum("hik,k,hjk->ij", weights[:, 0], own[1][self._owner], weights[:, 1], optimize=True)
        found[0, :, 0] += same[0]
        found[1, :, 1] += same[1]
        found[0, :, 1] += apart
        found[1, :, 0] += apart.T
        return found / len(weights)

    def over_queries(self, weights: Array, outer: Covariance) -> Covariance:
        """Return E sum_ii' a_ij a_i'j' E[x_i x_i'] at points of keys, (samples, points, samples, points)."""
        same, apart = self._weighed(outer)
        result = []
        for matrix, one, other in ((same, 0, 0), (apart, 0, 1)):
            left, right = weights[:, one], weights[:, other]
            moved = np.einsum("ij,hjk->hik", matrix, right, optimize=True)
            diagonal = np.einsum("hik,hik->k", left, moved) / len(weights)
            sums, sums_moved = self._blocks(left), self._blocks(moved)
            blocks = np.einsum("hib,hic->bc", sums, sums_moved) / len(weights)
            result.append(self._at_points(diagonal, blocks))
        return joined(*result)

    def logit_gradients(self, outer: Covariance, inner: Covariance, features: int, context: Context) -> Array:
        """Return gradients of the logits of each head, (heads, samples, query points, keys)."""
        h = _field(outer * features, self.queries, inner, self.keys, len(self.weights), context)
        return self.weights * (h - np.sum(self.weights * h, axis=-1, keepdims=True))

    @property
    def _owner(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.keys.sizes)), self.keys.sizes)

    def _blocks(self, weights: Array) -> Array:
        starts = np.cumsum([0, *self.keys.sizes[:-1]])
        return np.add.reduceat(weights, starts, axis=-1)

    def _weighed(self, outer: Covariance) -> tuple[Array, Array]:
        same, apart = split(outer)
        within, between = split(pair_counts(self.queries, SAMPLES))
        return same * within, apart * between

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


def _parts(inner: Covariance, places: Places) -> tuple[Array, tuple[Array, Array]]:
    """Return what positions of blocks have in common, (samples, blocks, samples, blocks), and of their own.

    Of their own: within an example and between two, each (blocks,).
    """
    first = np.cumsum([0, *places.counts[:-1]])
    lone = np.asarray(places.counts) == 1
    other = first + ~lone
    result, own = [], []
    for matrix in split(inner):
        common = matrix[np.ix_(first, first)].copy()
        inside = matrix[first, other]
        diagonal = matrix[first, first]
        np.fill_diagonal(common, np.where(lone, diagonal, inside))
        result.append(common)
        own.append(np.where(lone, 0.0, diagonal - inside))
    return joined(*result), (own[0], own[1])


def _field(
    rows: Covariance,
    row_places: Places,
    columns: Covariance,
    column_places: Places,
    heads: int,
    context: Context,
) -> Array:
    """Return normal numbers with E[z_ij z_i'j'] = rows_ii' columns_jj', (heads, samples, points, positions)."""
    common, own = _parts(columns, column_places)
    left = _root(rows)  # (samples * points, samples * points)
    right = _root(common)
    blocks = len(column_places.sizes)
    drawn = context.normals.independent((heads, len(left), len(right)))
    whole = (left @ drawn @ right.T).reshape(heads, SAMPLES, len(row_places), SAMPLES, blocks)
    shared = np.stack([whole[:, sample, :, sample] for sample in range(SAMPLES)], axis=1)
    owner = np.repeat(np.arange(blocks), column_places.sizes)
    result = shared[..., owner]
    if not np.any(own[0] > 0):
        return result
    total = column_places.total
    mine = context.normals.independent((heads, SAMPLES, len(left), total))
    both = math.sqrt(0.5)
    plus = np.sqrt(np.maximum(own[0] + own[1], 0))[owner]
    minus = np.sqrt(np.maximum(own[0] - own[1], 0))[owner]
    own_parts = (
        (mine[:, 0] * plus + mine[:, 1] * minus) * both,
        (mine[:, 0] * plus - mine[:, 1] * minus) * both,
    )
    points = len(row_places)
    for sample, part in enumerate(own_parts):
        rows_of = left[sample * points : (sample + 1) * points]
        result[:, sample] += np.einsum("ij,hjk->hik", rows_of, part, optimize=True)
    return result


def _root(found: Covariance) -> Array:
    size = found.shape[0] * found.shape[1]
    values, vectors = np.linalg.eigh(found.reshape(size, size))
    return vectors * np.sqrt(np.maximum(values, 0))


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)
