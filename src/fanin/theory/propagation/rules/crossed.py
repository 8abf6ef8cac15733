r"""Attention between the channels of a head, over all positions, as cross-covariance attention has it.

    l_ij = scale sum_n q_in k_jn,  E[l l'] = scale^2 sum_nn' E[q_n q_n'] E[k_n k_n'] = scale^2 <q, k>
    E[y y'] = E sum_j A_ij A'_ij E[v v']

Logits of a query are independent normal numbers, of two examples with a part in common, whose variance goes
with its length. Backward, with dl_ij the gradient of a logit:

    E[g_v g_v'] = E sum_i A_ij A'_ij E[g g'],  E sum_j dl_ij dl'_ij = <g, v> E sum_j a_ij a'_ij
    E[g_q g_q'] = scale^2 E sum_j dl_ij dl'_ij E[k k'],  and the same of keys

where sum_j a_ij^2 = sum_j A_ij^2 (1 - 2 A_ij + sum_k A_ik^2).

References:
    El-Nouby et al. (2021), arXiv:2106.09681, section 3.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, ndtr

from fanin.graph.signal import Node
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, joined, split
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places, pair_counts
from fanin.theory.propagation.rules.lengths import of_one_length
from fanin.theory.propagation.signal import Contributions, Result, Signal
from fanin.theory.propagation.sums import concentration

_LOGITS = 1 << 18  # drawn in all
_MANY = 1e4  # places, of which sums of squares vary no more


def between_channels(node: Node, context: Context) -> bool:
    """Return whether an attention is between channels: these are what its queries and keys are."""
    roles = {atom.role for atom in context.axes[node.inputs[0]][-2]}
    return roles == {"channel"}


def crossed(node: Node, operands: tuple[Signal, Signal, Signal], context: Context) -> Result:
    """Return what attention between channels makes of queries, keys and values."""
    query, key, value = operands
    places, scale = value.places, node["scale"] ** 2
    channels = context.graph[node.inputs[1]].shape[-2]
    even = all(of_one_length(name, context.graph) for name in node.inputs[:2])
    terms = math.inf if even else 1 / max(concentration(query.covariance, key.covariance, places, 1), 1e-9)
    logits = scale * (_products(query.covariance, key.covariance, places) + _by_chance(query, key))
    shares = _Shares.drawn(logits, terms, channels, context)
    level = np.broadcast_to(np.mean(value.values, axis=0), (SAMPLES, len(places))).mean(axis=0)
    square = level[:, None, None] * level
    values = context.population(_times(value.covariance - square, shares.squares)) + level
    chain = Chain.of(values, value.chance)
    width = context.size(node.name, "channel")
    y = Signal(values, places, width, value.examples, context.seen(value), chain=chain, normal=True)

    def pullback(cotangent: Cotangent) -> Contributions:
        found, seen = cotangent.covariance(places), context.seen_back(cotangent, y)
        logits = scale * _products(found, value.covariance - square, places) * shares.slopes
        back = (
            _times(key.covariance, logits),
            _times(query.covariance, logits),
            _times(found, shares.squares),
        )
        return [*(cotangent.through(each, seen) for each in back), *[None] * (len(node.inputs) - 3)]

    return Result(y, pullback)


def _products(one: Covariance, other: Covariance, places: Places) -> Array:
    """Return the sums over all pairs of positions of two products, of one example and of two, (2,)."""
    counts = split(pair_counts(places, SAMPLES))
    pairs = zip(counts, split(one), split(other), strict=True)
    # All pairs of the two examples' positions are as many as those of one.
    return np.array([float(np.sum(count * a * b)) for count, a, b in pairs])


def _by_chance(query: Signal, key: Signal) -> Array:
    """Return what products gain by how far what both read overlaps by chance at two places, (2,)."""
    total = query.places.total
    pairs = np.array([total * (total - 1), total**2])
    return pairs * query.q * key.q * key.overlap


def _times(found: Covariance, factors: Array) -> Covariance:
    """Return second moments times one factor within an example and another between two."""
    same, apart = split(found)
    return joined(same * factors[0], apart * factors[1])


@dataclass(frozen=True, eq=False)
class _Shares:
    """How channels weigh channels: means over draws, of one example and of two, each (2,).

    Args:
        squares: E sum_j A_ij A'_ij.
        slopes: E sum_j a_ij a'_ij, of a softmax's derivatives with values that are independent.
    """

    squares: Array
    slopes: Array

    @classmethod
    def drawn(cls, variances: Array, terms: float, channels: int, context: Context) -> _Shares:
        """Return shares of normal logits.

        Args:
            variances: Of the logits, and what two examples have in common of it.
            terms: Independent places that a logit sums over; more than any for queries of one length.
            channels: That are weighed.
            context: Of the run.
        """
        number = max(_LOGITS // channels, 64)
        whole = max(float(variances[0]), 0.0)
        common = float(np.clip(variances[1], 0.0, whole))
        drawn = context.normals.independent((3, number, channels))
        logits = math.sqrt(common) * drawn[:1] + math.sqrt(whole - common) * drawn[1:]
        if terms < _MANY:
            lengths = gammaincinv(terms / 2, ndtr(context.normals.independent((2, number, 1)))) * 2 / terms
            logits = logits * np.sqrt(lengths)
        powers = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
        weights = powers / np.sum(powers, axis=-1, keepdims=True)
        squares = [np.mean(np.sum(weights[0] * weights[other], axis=-1)) for other in (0, 1)]
        slopes = [_slopes(weights[0], weights[other]) for other in (0, 1)]
        return cls(np.asarray(squares, float), np.asarray(slopes, float))


def _slopes(one: Array, other: Array) -> float:
    """Return E sum_j a_ij a'_ij where a_ij = A_ij (v_j - sum_k A_ik v_k), for values of variance 1."""
    both = one * other
    sums = np.sum(both, axis=-1, keepdims=True)
    return float(np.mean(np.sum(both * (1 - one - other + sums), axis=-1)))
