"""Attention: softmax of scaled products of queries and keys, maybe masked, times values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, function, number_first, scalar
from fanin.theory.recognition.masks import aligned, masked, sorted_masks
from fanin.theory.recognition.operands import (
    Axes,
    Operand,
    Parts,
    Scores,
    arranged,
    before,
    keeps_shape,
    plain,
    unpermuted,
)
from fanin.theory.recognition.repeats import unrepeated_heads


def attention(draft: Draft, node: Node) -> None:
    """Put the product with values, the softmax and the product of queries and keys together."""
    if node.op != "matmul" or len(node.inputs) != 2:
        return
    (first, second), out = _letters(node["equation"])
    for weights, letters, values, theirs in (
        (node.inputs[0], first, node.inputs[1], second),
        (node.inputs[1], second, node.inputs[0], first),
    ):
        if _attends(draft, node, Operand(weights, letters), Operand(values, theirs), out):
            return


def _letters(equation: str) -> tuple[tuple[str, str], str]:
    left, _, out = equation.partition("->")
    one, _, other = left.partition(",")
    return (one, other), out


def _attends(draft: Draft, node: Node, weights: Operand, values: Operand, out: str) -> bool:
    rate, weights = _undropped(draft, weights)
    softmax = draft[weights.name]
    if softmax.op != "softmax" or softmax["log"]:
        return False
    key = weights.letters[softmax["axis"]]
    if {*weights.letters} & {*values.letters} - {*out} != {key}:
        return False
    found = _product(
        draft, softmax.inputs[0], Scores(weights.letters), _fresh(weights.letters + values.letters)
    )
    if found is None:
        return False
    scores, query, keys = found
    axes = _axes(weights.letters, query, keys, values, key)
    if axes is None or {*out} != {*axes.batch, *axes.head, *axes.groups, axes.query, axes.outer}:
        return False
    return _put(draft, node, Parts(scores, plain(draft, query), plain(draft, keys), values), axes, out, rate)


def _undropped(draft: Draft, weights: Operand) -> tuple[float, Operand]:
    """Return the rate of dropout of a softmax, and the softmax."""
    rate = 0.0
    while True:
        node = draft[weights.name]
        if node.op == "dropout":
            rate = 1 - (1 - rate) * (1 - node["rate"])
        elif node.op != "permute" and not keeps_shape(draft, node) and not _masks_again(draft, node):
            return rate, weights
        name = node.inputs[-1]
        weights = Operand(name, before(node, weights).letters)


def _masks_again(draft: Draft, node: Node) -> bool:
    """Return whether a node sets to 0 what the mask of the scores has made 0 already, as Keras does."""
    if not function(node, "where") or node.get("scalars") != (None, None, 0.0) or len(node.inputs) != 2:
        return False
    mask, softmax = node.inputs[0], draft[node.inputs[1]]
    if softmax.op != "softmax" or softmax.shape != node.shape:
        return False
    scores = draft[softmax.inputs[0]]
    return any(own.name == mask and own.factor == 1.0 for own, _ in masked(draft, scores))


def _fresh(used: str) -> str:
    return next(letter for letter in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ" if letter not in used)


def _product(draft: Draft, name: str, scores: Scores, inner: str) -> tuple[Scores, Operand, Operand] | None:
    """Follow scores back to the product that they come from; return its operands too."""
    node = draft[name]
    if node.op == "matmul":
        return _operands(node, scores, inner)
    if keeps_shape(draft, node):
        return _product(draft, node.inputs[0], scores, inner)
    if node.op == "permute":
        letters = before(node, Operand(name, scores.letters)).letters
        return _product(draft, node.inputs[0], replace(scores, letters=letters), inner)
    if function(node, "tanh") and not scores.cap and not scores.factors:
        return _product(draft, node.inputs[0], replace(scores, cap=scores.scale), inner)
    number = scalar(node)
    if function(node, "multiply", "divide") and number is not None:
        return _scaled(draft, node, number, scores, inner)
    if function(node, "multiply") and len(node.inputs) == 2:
        return _by_head(draft, node, scores, inner)
    return _masked(draft, node, scores, inner)


def _scaled(
    draft: Draft, node: Node, number: float, scores: Scores, inner: str
) -> tuple[Scores, Operand, Operand] | None:
    if number_first(node) and function(node, "divide"):
        return None
    factor = number if function(node, "multiply") else 1 / number
    scaled = replace(scores, scale=scores.scale * factor)
    return _product(draft, node.inputs[0], scaled, inner) if factor > 0 else None


def _by_head(draft: Draft, node: Node, scores: Scores, inner: str) -> tuple[Scores, Operand, Operand] | None:
    """Follow scores that are multiplied with parameters, as one temperature for each head is."""
    for factor, rest in (node.inputs, node.inputs[::-1]):
        if draft.varies(factor) or draft[rest].shape != node.shape:
            continue
        more = replace(scores, factors=(*scores.factors, Operand(factor, scores.letters)))
        return None if scores.cap else _product(draft, rest, more, inner)
    return None


def _masked(draft: Draft, node: Node, scores: Scores, inner: str) -> tuple[Scores, Operand, Operand] | None:
    for mask, rest in masked(draft, node):
        added = mask.factor != 1.0
        if (
            draft[rest].shape != node.shape
            or scores.cap
            or (added and (scores.scale != 1.0 or scores.factors))
        ):
            continue
        found = replace(scores, masks=(*scores.masks, replace(mask, letters=scores.letters)))
        if made := _product(draft, rest, found, inner):
            return made
    return None


def _operands(node: Node, scores: Scores, inner: str) -> tuple[Scores, Operand, Operand] | None:
    (first, second), out = _letters(node["equation"])
    summed = {*first} & {*second} - {*out}
    if len(summed) != 1 or len(out) != len(scores.letters):
        return None
    names = dict(zip(out, scores.letters, strict=True)) | {summed.pop(): inner}
    if not {*first, *second} <= names.keys():
        return None
    renamed = [Operand(name, "".join(names[letter] for letter in letters))
               for name, letters in zip(node.inputs, (first, second), strict=True)]  # fmt: skip
    return scores, renamed[0], renamed[1]


def _axes(scores: str, query: Operand, keys: Operand, values: Operand, key: str) -> Axes | None:
    """Return what each letter stands for; None where the operands do not make an attention.

    Of the axes that only queries have, the last one of the scores that softmax reads is their place; others
    are groups of queries that share keys.
    """
    if key in query.letters:
        query, keys = keys, query
    inner = ({*query.letters} & {*keys.letters} - {*scores}).pop()
    shared = [letter for letter in scores if letter in keys.letters and letter in query.letters]
    own = [letter for letter in scores if letter in query.letters and letter not in keys.letters]
    outer = {*values.letters} - {*scores}
    if key not in keys.letters or key in query.letters or not own or len(outer) != 1:
        return None
    if {*keys.letters} != {*shared, key, inner} or {*values.letters} != {*shared, key, *outer}:
        return None
    batch, head = ("".join(shared[:-1]), shared[-1]) if len(shared) > 1 else ("".join(shared), "")
    return Axes(batch, head, "".join(own[:-1]), own[-1], key, inner, outer.pop())


def _put(draft: Draft, node: Node, parts: Parts, axes: Axes, out: str, rate: float) -> bool:
    """Put the attention in the place of its last product."""
    query, keys = parts.query, parts.keys
    if axes.key in query.letters:
        query, keys = keys, query
    values = unpermuted(draft, parts.values)
    sizes = {letter: size for operand in (query, keys, values)
             for letter, size in zip(operand.letters, draft[operand.name].shape, strict=True)}  # fmt: skip
    masks = sorted_masks(draft, node, parts.scores.masks, axes)
    factors = [name for each in parts.scores.factors if (name := aligned(draft, node, each, axes))]
    if masks is None or len(factors) < len(parts.scores.factors):
        return False
    heads = math.prod(sizes[letter] for letter in (*axes.head, *axes.groups))
    lead = [sizes[letter] for letter in axes.batch]
    order = axes.batch + axes.head + axes.groups
    q = arranged(draft, node, query, order + axes.query + axes.inner,
                  (*lead, heads, sizes[axes.query], sizes[axes.inner]))  # fmt: skip
    for factor in factors:
        shape = draft[q].shape
        q = draft.add(node, "elementwise", (q, factor), shape, function="multiply").name
    key_heads = sizes[axes.head] if axes.head else 1
    keys, values, key_heads = _once(draft, node, axes, query, keys, values, key_heads)
    k = arranged(draft, node, keys, axes.batch + axes.head + axes.key + axes.inner,
                  (*lead, key_heads, sizes[axes.key], sizes[axes.inner]))  # fmt: skip
    v = arranged(draft, node, values, axes.batch + axes.head + axes.key + axes.outer,
                  (*lead, key_heads, sizes[axes.key], sizes[axes.outer]))  # fmt: skip
    attributes: dict[str, Any] = {
        **masks.attributes, "scale": parts.scores.scale * query.factor * keys.factor, "heads": heads,
        "key_heads": key_heads, "dropout": round(rate, 7),
    }  # fmt: skip
    if parts.scores.cap:
        attributes["cap"] = parts.scores.cap
    inputs = (q, k, v, *masks.names)
    made = order + axes.query + axes.outer
    shape = (*lead, heads, sizes[axes.query], sizes[axes.outer])
    if made == out and shape == node.shape:
        draft.put(node, "attention", inputs, **attributes)
        return True
    name = draft.add(node, "attention", inputs, shape, **attributes).name
    split = tuple(sizes[letter] for letter in made)
    if made == out:
        draft.put(node, "reshape", (name,))
        return True
    if split != shape:
        name = draft.add(node, "reshape", (name,), split).name
    draft.put(node, "permute", (name,), axes=tuple(made.index(letter) for letter in out))
    return True


def _once(
    draft: Draft, node: Node, axes: Axes, query: Operand, keys: Operand, values: Operand, heads: int
) -> tuple[Operand, Operand, int]:
    """Return keys and values before each head of them was repeated for a group of queries."""
    shape = dict(zip(query.letters, draft[query.name].shape, strict=True))
    if not axes.head or any(shape[letter] != 1 for letter in axes.groups):
        return keys, values, heads
    once = unrepeated_heads(draft, node, keys.name, keys.letters.index(axes.head))
    other = unrepeated_heads(draft, node, values.name, values.letters.index(axes.head))
    if once is None or other is None or once[1] != other[1]:
        return keys, values, heads
    return replace(keys, name=once[0]), replace(values, name=other[0]), once[1]
