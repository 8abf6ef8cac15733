r"""Attention, by random heads.

    l_ij = scale q_i . k_j,  A = softmax l,  E[y_i y_i'] = E sum_jj' A_ij A_i'j' E[v_j v_j']

Backward, with b_ij = A_ij (v_j - sum_k A_ik v_k), so that dl_ij = g_i . b_ij:

    E[g_v g_v'] = E sum_ii' A_ij A_i'j' E[g_i g_i']
    E[g_q g_q'] = scale^2 E[g_i g_i'] E sum_jj' b_ij . b_i'j' (k_j . k_j') / d
    E[g_k g_k'] = scale^2 E sum_ii' E[g_i g_i'] b_ij . b_i'j' (q_i . q_i') / d

References:
    Hron et al. (2020), arXiv:2006.10540 (the limit of many heads); Yang (2019), arXiv:1910.12478, app. A.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.propagation.chain import Chain
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, alike, joined
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.rules.crossed import between_channels, crossed
from fanin.theory.propagation.rules.heads import Heads
from fanin.theory.propagation.rules.lengths import of_one_length
from fanin.theory.propagation.rules.local import in_windows
from fanin.theory.propagation.rules.meeting import Meeting
from fanin.theory.propagation.rules.scores import Scoring
from fanin.theory.propagation.signal import (
    IMAGINED,
    STILL,
    Contributions,
    Kernel,
    Result,
    Signal,
    Unknown,
    Value,
)


def attention(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return what attention makes of queries, keys and values."""
    for value in inputs:
        if isinstance(value, Unknown):
            return Result(value)
    query, key, value = _of_weights(node, inputs, context)
    if not (isinstance(query, Signal) and isinstance(key, Signal) and isinstance(value, Signal)):
        return Result(Unknown(f"{node.name}: its queries, keys or values are no signals"))
    scoring = Scoring.of(node, inputs[3:], context)
    if scoring is None:
        return Result(Unknown(f"{node.name}: its mask is not known"))
    operands = query, key, value
    if between_channels(node, context):
        return _between_channels(node, operands, scoring, context)

    def attended(given: tuple[Signal, Signal, Signal]) -> Result:
        return _attended(node, given, scoring, inputs[3:], context)

    return in_windows(node, operands, context, attended) or attended(operands)


def _of_weights(node: Node, inputs: list[Value], context: Context) -> list[Value]:
    """Return queries, keys and values, of which some may be learned, the same for all examples."""
    examples = max((value.examples for value in inputs[:3] if isinstance(value, Signal)), default=1)
    return [
        _learned(value, name, examples, context) if isinstance(value, Kernel) else value
        for name, value in zip(node.inputs[:3], inputs, strict=False)
    ]


def _learned(kernel: Kernel, name: str, examples: int, context: Context) -> Value:
    """Return vectors that are weights as a signal: independent ones at each position."""
    if kernel.law is None:
        return Unknown(f"nobody knows what {kernel.weight or name} is distributed by")
    places = Places((context.size(name, "position"),), context.points[name])
    own = kernel.law.variance * np.eye(len(places))
    values = context.population(joined(own, own)) + kernel.law.mean
    width = context.size(name, "channel")
    return Signal(values, places, width, examples, STILL, Chain.of(values, STILL), normal=True)


def _between_channels(
    node: Node, operands: tuple[Signal, Signal, Signal], scoring: Scoring, context: Context
) -> Result:
    if len({x.places for x in operands}) > 1 or not scoring.plain:
        return Result(Unknown(f"{node.name}: attention between channels with masks, or of other places"))
    return crossed(node, operands, context)


def _attended(
    node: Node,
    operands: tuple[Signal, Signal, Signal],
    scoring: Scoring,
    masks: list[Value],
    context: Context,
) -> Result:
    query, key, value = operands
    heads = Heads.drawn(
        (query.covariance, query.places),
        (key.covariance, key.places),
        _features(node, context, 0),
        context,
        scoring,
        (of_one_length(node.inputs[0], context.graph), of_one_length(node.inputs[1], context.graph)),
        context.turns.get(node.name),
    )
    meeting = Meeting(key, value, heads, node["scale"] ** 2, _features(node, context, 2))
    of_outputs = meeting.of_outputs(query)
    wanted = heads.outputs(value.covariance) + key.overlap * of_outputs
    places = query.places
    values = context.population(alike(wanted, places))
    # Few heads, each of one way to weigh, differ by chance.
    chance = context.seen(value) + _by_heads(heads.spread(value.covariance), node, query, context)
    chance = chance + _of_sums(wanted, query, value.overlap, context)
    width = context.size(node.name, "channel")
    chain = Chain.of(values, chance)
    y = Signal(values, places, width, query.examples, chance, chain=chain, normal=True)

    def pullback(cotangent: Cotangent) -> Contributions:
        outer = cotangent.covariance(places)
        seen = context.seen_back(cotangent, y)
        seen = seen + _by_heads(heads.spread_of_keys(outer), node, query, context)
        logits = heads.centred(value.covariance, _features(node, context, 2), context)
        gradients = _gradients(node, operands, meeting, logits, outer)
        shared = _shared(node)
        met = (
            0.0,
            1 + _share(shared * meeting.of_keys(outer), query, gradients[1], key, context),
            _share(shared * of_outputs * outer, query, gradients[2], value, context),
        )
        back = [
            replace(cotangent.through(each, seen), met=more)
            for each, more in zip(gradients, met, strict=True)
        ]
        added = heads.of_logits(logits, outer)
        return [
            *back,
            *(_of_mask(mask, added, heads, query.examples, cotangent, seen, node, context) for mask in masks),
        ]

    return Result(y, pullback)


def _of_mask(
    mask: Value,
    added: float,
    heads: Heads,
    examples: int,
    cotangent: Cotangent,
    seen: Array,
    node: Node,
    context: Context,
) -> Cotangent | None:
    """Return the gradient of what is added to logits, and take down that of a table.

    Each entry of a table is there for many pairs of places, whose gradients are independent.
    """
    if isinstance(mask, Signal):
        same = np.eye(len(mask.places)) * added
        return cotangent.through(joined(same, 0 * same), seen)
    if isinstance(mask, Kernel) and mask.weight:
        pairs = max(node.get("heads") or 1, 1) * heads.queries.total * heads.keys.total
        uses = pairs * examples / context.graph.weight[mask.weight].size
        context.of_values(mask, added * uses, seen, 2.0)
    return None


def _gradients(
    node: Node,
    operands: tuple[Signal, Signal, Signal],
    meeting: Meeting,
    logits: list[Array],
    outer: Covariance,
) -> tuple[Covariance, Covariance, Covariance]:
    """Return second moments of the gradients of queries, keys and values."""
    query, key, value = operands
    heads, scale, shared = meeting.heads, node["scale"] ** 2, _shared(node)
    of_queries = scale * outer * heads.of_queries(logits)
    of_keys = heads.gradients_of_keys(logits, outer)
    return (
        alike(of_queries + key.overlap * (of_queries + meeting.of_queries(outer)), query.places),
        alike(scale * shared * of_keys, key.places),
        alike(shared * heads.of_keys(heads.weights, outer), value.places),
    )


def _share(more: Covariance, at: Signal, gradient: Covariance, x: Signal, context: Context) -> float:
    """Return a sum over pairs of queries over that of E[g g'] E[x x'] over pairs of keys."""
    base = context.total(gradient * x.covariance, x.places, x.examples)
    return context.total(more, at.places, at.examples) / base if base > 0 else 0.0


def _shared(node: Node) -> float:
    """Return how many heads of queries there are for one of keys."""
    heads = node.get("heads", 1)
    return max(heads / max(node.get("key_heads") or heads, 1), 1.0)


def _of_sums(wanted: Covariance, like: Signal, overlap: float, context: Context) -> Array:
    """Return the chance of what positions have in common, which is what sums of many of them are."""
    spread = Cotangent.normal(wanted).spread(like.places, like.examples)
    return np.sqrt(spread * overlap) * context.normals.independent((2, IMAGINED))


def _by_heads(relative: float, node: Node, query: Signal, context: Context) -> Array:
    number = max(node.get("heads") or 1, 1) * max(query.examples, 1)
    return np.sqrt(relative / number) * context.normals.independent((2, IMAGINED))


def _features(node: Node, context: Context, operand: int) -> int:
    return context.graph[node.inputs[operand]].shape[-1]
