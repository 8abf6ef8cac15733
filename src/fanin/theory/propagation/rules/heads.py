"""Random heads of attention: queries, keys and values with as many features as heads have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.theory.propagation.context import Context
from fanin.theory.propagation.covariance import Covariance, joined, split, to_blocks
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts
from fanin.theory.propagation.rotary import Turns
from fanin.theory.propagation.rules.scores import Scoring, positions
from fanin.theory.propagation.rules.turning import Turning

Vectors = NDArray[np.floating[Any]]
"""Drawn in single precision, for the sake of memory."""

_NUMBERS = 1_500_000, 3_000_000  # of logits, fewest and most, for the sake of memory
_ALL = 12_000_000  # of all of a graph's, for the sake of time
_HEADS = 4, 2048  # fewest and most
_ENOUGH = 8  # draws of each of several numbers, from which their second moments are evened
_FEATURES = 8  # of values that are drawn; all are alike


@dataclass(frozen=True, eq=False)
class Heads:
    """Random heads.

    Args:
        queries: Places of the queries.
        keys: Places of the keys.
        query: Drawn queries at points, as they are turned, (heads, samples, points, features).
        key: Drawn keys at all positions, likewise, (heads, samples, positions, features).
        weights: How queries weigh keys, (heads, samples, points, positions).
        slopes: Derivatives of logits with respect to scaled products, of the same shape.
        turns: What queries and keys are turned by; None where they are not.
    """

    queries: Places
    keys: Places
    query: Vectors
    key: Vectors
    weights: Array
    slopes: Vectors | float
    turns: Turning | None = None

    @classmethod
    def drawn(
        cls,
        query: tuple[Covariance, Places],
        key: tuple[Covariance, Places],
        features: int,
        context: Context,
        scoring: Scoring,
        even: tuple[bool, bool] = (False, False),
        turns: Turns | None = None,
    ) -> Heads:
        """Return heads for queries and keys of these second moments.

        Args:
            query: Second moments and places of queries.
            key: Of keys.
            features: Of a head.
            context: Of the run.
            scoring: What becomes of products of queries and keys.
            even: Whether all queries of a place have the same length, and all keys.
            turns: Angles that they are turned by.
        """
        places = key[1]
        numbers = SAMPLES * places.total * max(len(query[1]), features)
        attentions = sum(node.op == "attention" for node in context.graph)
        heads = int(np.clip(np.clip(_ALL // max(attentions, 1), *_NUMBERS) // numbers, *_HEADS))
        q = _at_points(query[0], heads, features, context)
        k = _everywhere(*key, heads, features, context)
        q, k = (_of_one_length(x) if same else x for x, same in zip((q, k), even, strict=True))
        at = positions(query[1], heads, scoring, context)
        turning = None if turns is None else Turning.of(turns, at)
        if turning is not None:
            q, k = turning.queries(q), turning.keys(k)
        logits, slopes = scoring.logits(q, k, at, context)
        return cls(query[1], places, q, k, _softmax(logits), slopes, turning)

    def outputs(self, values: Covariance) -> Covariance:
        """Return E sum_jj' A_ij A_i'j' E[v_j v_j'], (samples, points, samples, points)."""
        common, own = _parts(values, self.keys)
        sums = self._blocks(self.weights)  # (heads, samples, points, blocks)
        found = np.einsum("hsib,sbtc,htjc->sitj", sums, common, sums, optimize=True)
        for sample, other in ((0, 0), (1, 1), (0, 1), (1, 0)):
            weighed = self.weights[:, sample] * own[int(sample != other)][self._owner]
            found[sample, :, other] += np.einsum(
                "hik,hjk->ij", weighed, self.weights[:, other], optimize=True
            )
        return found / len(self.weights)

    @property
    def steepness(self) -> float:
        """The square of how logits grow with products of queries and keys, on average: 1 without a cap."""
        return float(np.mean(self.slopes)) ** 2

    def apart(self) -> Array:
        """Return how much more keys that overlap are weighed together, (samples, points): 0 for one key.

        Where products G vary by t, and logits of a query by s G, E sum_jj' A_j A_j' G_jj' gains t s times the
        sum of derivatives of A_j A_j' with respect to l_j and l_j', for j' = j half of it with twice the
        variance. Without turns that is 1 - S_2 - 6 S_3 + 6 S_2^2 with S_k = sum_j A_j^k.
        """
        a = self.weights
        second, third = np.einsum("...j,...j->...", a, a), np.einsum("...j,...j,...j->...", a, a, a)
        both, with_squares, of_squares = 1.0, second, second**2
        if self.turns is not None:
            pairs = (a, a), (a**2, a), (a**2, a**2)
            both, with_squares, of_squares = (self.turns.alike(*pair) for pair in pairs)
        return np.mean(both - 4 * with_squares + 6 * of_squares + 3 * second - 6 * third, axis=0)

    def turned_alike(self) -> Array | float:
        """Return how far keys that are weighed together are turned alike, (heads, samples, points) or 1."""
        return 1.0 if self.turns is None else self.turns.alike(self.weights, self.weights)

    def spread(self, values: Covariance) -> float:
        """Return the relative variance of E[y^2] from head to head."""
        return _relative_variance(self._outputs_of_each(values) @ self.queries.share)

    def varied(self, values: Covariance) -> Array:
        """Return E of sum_j A_ij v_j^2 - (sum_j A_ij v_j)^2, of each head, (heads, samples, points)."""
        common, own = _parts(values, self.keys)
        level = np.diag(split(common)[0]) + own[0]
        return self._blocks(self.weights) @ level - self._outputs_of_each(values)

    def _outputs_of_each(self, values: Covariance) -> Array:
        """Return E[y^2] of each head, (heads, samples, points)."""
        common, own = _parts(values, self.keys)
        sums = self._blocks(self.weights)
        each = np.einsum("hsib,bc,hsic->hsi", sums, split(common)[0], sums, optimize=True)
        return each + self.weights**2 @ own[0][self._owner]

    def centred(self, values: Covariance, features: int, context: Context) -> list[Array]:
        """Return A_ij (v_j - sum_k A_ik v_k), times the slope of a cap, for some features of drawn values.

        The gradient with respect to a logit is the sum of g_i times this over all features. Returned for few
        of them, scaled to stand for all.

        Args:
            values: Second moments of values.
            features: Of a value.
            context: Of the run.

        Returns:
            (heads, samples, points, positions) for each drawn feature.
        """
        few = min(features, _FEATURES)
        v = _everywhere(values, self.keys, len(self.weights), few, context)
        scale = np.sqrt(features / few)
        means = self.weights @ v
        weights = scale * self.weights * self.slopes
        return [weights * (v[..., feature][:, :, None] - means[..., feature, None]) for feature in range(few)]

    def of_logits(self, logits: list[Array], outer: Covariance) -> float:
        """Return E[(g_i . b_ij)^2], averaged over all queries and keys: of the gradient of a logit.

        Args:
            logits: b, as `centred` returns them.
            outer: E[g g'] between points of queries.
        """
        squares = sum((np.mean(np.sum(each**2, axis=-1), axis=0) for each in logits), np.zeros(()))
        own = np.einsum("sisi->si", outer) * squares
        return float(np.mean(own @ self.queries.share)) / (self.queries.total * self.keys.total)

    def of_queries(self, logits: list[Array]) -> Covariance:
        """Return E sum_jj' b_ij b_i'j' k_j . k_j' / features between points of queries."""
        shape = SAMPLES, len(self.queries), SAMPLES, len(self.queries)
        found = np.zeros((SAMPLES * len(self.queries),) * 2)
        for each in logits:
            back = each.astype(np.float32) @ self.key  # else keys are converted each time
            back = back if self.turns is None else self.turns.queries(back, back=True)
            m = back.transpose(1, 2, 0, 3).reshape(len(found), -1)
            found = found + m @ m.T / m.shape[1]
        return found.reshape(shape)

    @property
    def query_products(self) -> Array:
        """q_i . q_i' / features of each head, (heads, samples, points, samples, points)."""
        products = np.einsum("hsid,htjd->hsitj", self.query, self.query, optimize=True)
        return products / self.query.shape[-1]

    def of_keys(self, weights: Array, outer: Array) -> Covariance:
        """Return E sum_ii' a_ij a_i'j' x_ii' between points of keys; queries stand for all positions.

        Args:
            weights: a, (heads, samples, points, positions).
            outer: x, (samples, points, samples, points), or of each head.
        """
        counts = split(pair_counts(self.queries, SAMPLES))
        result = []
        for other in (0, 1):
            left, right = weights[:, 0], weights[:, other]
            moved = (outer[..., 0, :, other, :] * counts[other]) @ right
            diagonal = np.einsum("hik,hik->k", left, moved) / len(weights)
            blocks = np.einsum("hib,hic->bc", self._blocks(left), self._blocks(moved)) / len(weights)
            result.append(self._at_points(diagonal, blocks))
        return joined(*result)

    def gradients_of_keys(self, logits: list[Array], outer: Covariance) -> Covariance:
        """Return E sum_ii' b_ij . b_i'j' (q_i . q_i') / features E[g_i g_i'] between points of keys.

        Args:
            logits: b, as `centred` returns them.
            outer: E[g g'] between points of queries.
        """
        products = self.query_products * outer
        if self.turns is None:
            return np.sum([self.of_keys(each, products) for each in logits], axis=0)
        return np.sum([self._turned_back(each, products, outer) for each in logits], axis=0)

    def _turned_back(self, logits: Array, products: Array, outer: Covariance) -> Covariance:
        """Return it before keys were turned: sum_ii' E[g_i g_i'] u_i . u_i', u_i = sum_j b_ij R_j^T q_i."""
        assert self.turns is not None
        counts = split(pair_counts(self.queries, SAMPLES))
        sums = self.turns.sums_back(self.query, logits, self._owner)
        result = []
        for other in (0, 1):
            left, right = logits[:, 0], logits[:, other]
            moved = (products[..., 0, :, other, :] * counts[other]) @ right
            diagonal = np.einsum("hik,hik->k", left, moved) / len(logits)
            far = np.tensordot(outer[0, :, other] * counts[other], sums[:, other], axes=(1, 1))
            blocks = np.einsum("hibf,ihcf->bc", sums[:, 0], far.conj(), optimize=True).real
            result.append(self._at_points(diagonal, blocks / len(logits) / self.query.shape[-1]))
        return joined(*result)

    def spread_of_keys(self, outer: Covariance) -> float:
        """Return the relative variance of the gradient of values from head to head."""
        within = split(outer)[0] * split(pair_counts(self.queries, SAMPLES))[0]
        moved = within @ self.weights
        return _relative_variance(np.einsum("hsik,hsik->hs", self.weights, moved))

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


def _relative_variance(values: Array) -> float:
    mean = float(np.mean(values))
    return float(np.var(values)) / mean**2 if mean else 0.0


def _at_points(found: Covariance, heads: int, features: int, context: Context) -> Vectors:
    """Return normal vectors at points, (heads, samples, points, features)."""
    points = found.shape[1]
    root = _root(found.reshape(SAMPLES * points, -1))
    drawn = root @ _even(context.normals.independent((heads, root.shape[1], features)))
    return drawn.reshape(heads, SAMPLES, points, features)


def _even(drawn: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return standard normal numbers whose second moments over all heads are those of standard normal ones.

    Args:
        drawn: (heads, numbers, features).
    """
    size, rank = drawn.shape[1], drawn.shape[0] * drawn.shape[2]
    if rank < _ENOUGH * size:
        return drawn
    flat = drawn.transpose(1, 0, 2).reshape(size, rank)
    values, vectors = np.linalg.eigh(flat @ flat.T / rank)
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T, np.float32) @ drawn


def _everywhere(found: Covariance, places: Places, heads: int, features: int, context: Context) -> Vectors:
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


def _of_one_length(vectors: Vectors) -> Vectors:
    """Return vectors of the mean length of those of a place."""
    squares = np.mean(vectors**2, axis=-1, keepdims=True)
    return vectors * np.sqrt(np.mean(squares, axis=(0, 1), keepdims=True) / np.maximum(squares, 1e-30))


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


def _softmax(logits: Vectors) -> Array:
    powers = np.exp(np.asarray(logits - np.max(logits, axis=-1, keepdims=True), float))
    return powers / np.sum(powers, axis=-1, keepdims=True)
