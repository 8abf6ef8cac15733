"""Attention: softmax of scaled products of queries and keys, maybe masked, times values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, constant, function, number_first, scalar, spread
from fanin.theory.recognition.repeats import unrepeated_heads

_LOW = -1e3
"""A score that is masked is at most this."""


@dataclass(frozen=True)
class _Operand:
    """A value with a letter for each of its axes; the same letter means the same axis everywhere."""

    name: str
    letters: str
    factor: float = 1.0


@dataclass
class _Scores:
    """What is between a softmax and the product of queries and keys.

    Args:
        letters: Of the value that is looked at.
        scale: What the product is multiplied with.
        masks: What is masked or added, with the letters of the axes that it is aligned with.
    """

    letters: str
    scale: float = 1.0
    masks: list[_Operand] = field(default_factory=list)


@dataclass(frozen=True)
class _Axes:
    """The letters of an attention: batch, key heads (or none), groups of queries, places, features."""

    batch: str
    head: str
    groups: str
    query: str
    key: str
    inner: str
    outer: str


def attention(draft: Draft, node: Node) -> None:
    """Put the product with values, the softmax and the product of queries and keys together."""
    if node.op != "matmul" or len(node.inputs) != 2:
        return
    (first, second), out = _letters(node["equation"])
    for weights, letters, values, theirs in (
        (node.inputs[0], first, node.inputs[1], second),
        (node.inputs[1], second, node.inputs[0], first),
    ):
        if _attends(draft, node, _Operand(weights, letters), _Operand(values, theirs), out):
            return


def _letters(equation: str) -> tuple[tuple[str, str], str]:
    left, _, out = equation.partition("->")
    one, _, other = left.partition(",")
    return (one, other), out


def _attends(draft: Draft, node: Node, weights: _Operand, values: _Operand, out: str) -> bool:
    rate, weights = _undropped(draft, weights)
    softmax = draft[weights.name]
    if softmax.op != "softmax" or softmax["log"]:
        return False
    key = weights.letters[softmax["axis"]]
    if {*weights.letters} & {*values.letters} - {*out} != {key}:
        return False
    found = _product(
        draft, softmax.inputs[0], _Scores(weights.letters), _fresh(weights.letters + values.letters)
    )
    if found is None:
        return False
    scores, query, keys = found
    axes = _axes(weights.letters, query, keys, values, key)
    if axes is None or {*out} != {*axes.batch, *axes.head, *axes.groups, axes.query, axes.outer}:
        return False
    return _put(
        draft, node, _Parts(scores, _plain(draft, query), _plain(draft, keys), values), axes, out, rate
    )


def _undropped(draft: Draft, weights: _Operand) -> tuple[float, _Operand]:
    """Return the rate of dropout of a softmax, and the softmax."""
    rate = 0.0
    while True:
        node = draft[weights.name]
        if node.op == "dropout":
            rate = 1 - (1 - rate) * (1 - node["rate"])
        elif node.op != "permute" and not _masks_again(draft, node):
            return rate, weights
        name = node.inputs[-1]
        weights = _Operand(name, _before(node, weights).letters)


def _masks_again(draft: Draft, node: Node) -> bool:
    """Return whether a node sets to 0 what the mask of the scores has made 0 already, as Keras does."""
    if not function(node, "where") or node.get("scalars") != (None, None, 0.0) or len(node.inputs) != 2:
        return False
    mask, softmax = node.inputs[0], draft[node.inputs[1]]
    if softmax.op != "softmax" or softmax.shape != node.shape:
        return False
    scores = draft[softmax.inputs[0]]
    return any(own.name == mask and own.factor == 1.0 for own, _ in _masked(draft, scores))


def _before(node: Node, operand: _Operand) -> _Operand:
    """Return what a permutation, or an operation that keeps axes, is of."""
    letters = operand.letters
    if node.op == "permute":
        places = dict(zip(node["axes"], letters, strict=True))
        letters = "".join(places[axis] for axis in range(len(letters)))
    return _Operand(node.inputs[0], letters, operand.factor)


def _fresh(used: str) -> str:
    return next(letter for letter in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ" if letter not in used)


def _product(
    draft: Draft, name: str, scores: _Scores, inner: str
) -> tuple[_Scores, _Operand, _Operand] | None:
    """Follow scores back to the product that they come from; return its operands too."""
    node = draft[name]
    if node.op == "matmul":
        return _operands(node, scores, inner)
    number = scalar(node)
    if function(node, "multiply", "divide") and number is not None:
        if number_first(node) and function(node, "divide"):
            return None
        factor = number if function(node, "multiply") else 1 / number
        scaled = _Scores(scores.letters, scores.scale * factor, scores.masks)
        return _product(draft, node.inputs[0], scaled, inner) if factor > 0 else None
    if node.op == "permute":
        letters = _before(node, _Operand(name, scores.letters)).letters
        return _product(draft, node.inputs[0], _Scores(letters, scores.scale, scores.masks), inner)
    for mask, rest in _masked(draft, node):
        if draft[rest].shape != node.shape or (mask.factor != 1.0 and scores.scale != 1.0):
            continue
        found = _Operand(mask.name, scores.letters)
        if made := _product(
            draft, rest, _Scores(scores.letters, scores.scale, [*scores.masks, found]), inner
        ):
            return made
    return None


def _masked(draft: Draft, node: Node) -> list[tuple[_Operand, str]]:
    """Return what may mask scores, with the scores; a factor other than 1 says that it is added."""
    if function(node, "add") and len(node.inputs) == 2:
        one, other = node.inputs
        return [(_Operand(other, "", 0.0), one), (_Operand(one, "", 0.0), other)]
    scalars = node.get("scalars", ())
    if not function(node, "where") or len(scalars) != 3 or len(node.inputs) != 2:
        return []
    condition, rest = node.inputs
    _, yes, no = scalars
    if no is not None and no <= _LOW:
        return [(_Operand(condition, ""), rest)]
    if yes is not None and yes <= _LOW:
        return [(_Operand(_passing(draft, node, draft[condition]).name, ""), rest)]
    return []


def _passing(draft: Draft, node: Node, blocked: Node) -> Node:
    """Return the mask that is True where another one is not."""
    value = constant(blocked)
    if value is None:
        more = {"function": "logical_not"}
        return draft.add(node, "elementwise", (blocked.name,), blocked.shape, "bool", **more)
    passing = ~np.asarray(value, bool)
    size = passing.shape[-1] if passing.ndim else 0
    causal = passing.ndim > 1 and passing.shape[-2] == size > 1 and bool((passing == np.tri(size)).all())
    attributes: dict[str, Any] = {
        "value": _nested(passing.tolist()),
        **({"mask": "causal"} if causal else {}),
    }
    return draft.add(node, "constant", (), blocked.shape, "bool", **attributes)


def _nested(value: Any) -> Any:
    return tuple(map(_nested, value)) if isinstance(value, list) else value


def _operands(node: Node, scores: _Scores, inner: str) -> tuple[_Scores, _Operand, _Operand] | None:
    (first, second), out = _letters(node["equation"])
    summed = {*first} & {*second} - {*out}
    if len(summed) != 1 or len(out) != len(scores.letters):
        return None
    names = dict(zip(out, scores.letters, strict=True)) | {summed.pop(): inner}
    if not {*first, *second} <= names.keys():
        return None
    renamed = [_Operand(name, "".join(names[letter] for letter in letters))
               for name, letters in zip(node.inputs, (first, second), strict=True)]  # fmt: skip
    return scores, renamed[0], renamed[1]


def _axes(scores: str, query: _Operand, keys: _Operand, values: _Operand, key: str) -> _Axes | None:
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
    return _Axes(batch, head, "".join(own[:-1]), own[-1], key, inner, outer.pop())


def _plain(draft: Draft, operand: _Operand) -> _Operand:
    """Return a value before permutations and factors."""
    while True:
        node, number = draft[operand.name], scalar(draft[operand.name])
        if node.op == "permute":
            operand = _before(node, operand)
        elif number is not None and function(node, "multiply"):
            operand = _Operand(node.inputs[0], operand.letters, operand.factor * number)
        elif number is not None and function(node, "divide") and not number_first(node):
            operand = _Operand(node.inputs[0], operand.letters, operand.factor / number)
        else:
            return operand


@dataclass(frozen=True)
class _Parts:
    scores: _Scores
    query: _Operand
    keys: _Operand
    values: _Operand


def _put(draft: Draft, node: Node, parts: _Parts, axes: _Axes, out: str, rate: float) -> bool:
    """Put the attention in the place of its last product."""
    query, keys = parts.query, parts.keys
    if axes.key in query.letters:
        query, keys = keys, query
    values = _unpermuted(draft, parts.values)
    sizes = {letter: size for operand in (query, keys, values)
             for letter, size in zip(operand.letters, draft[operand.name].shape, strict=True)}  # fmt: skip
    masks = _masks(draft, node, parts.scores, axes, sizes)
    if masks is None:
        return False
    causal, mask = masks
    heads = math.prod(sizes[letter] for letter in (*axes.head, *axes.groups))
    lead = [sizes[letter] for letter in axes.batch]
    order = axes.batch + axes.head + axes.groups
    q = _arranged(draft, node, query, order + axes.query + axes.inner,
                  (*lead, heads, sizes[axes.query], sizes[axes.inner]))  # fmt: skip
    key_heads = sizes[axes.head] if axes.head else 1
    keys, values, key_heads = _once(draft, node, axes, query, keys, values, key_heads)
    k = _arranged(draft, node, keys, axes.batch + axes.head + axes.key + axes.inner,
                  (*lead, key_heads, sizes[axes.key], sizes[axes.inner]))  # fmt: skip
    v = _arranged(draft, node, values, axes.batch + axes.head + axes.key + axes.outer,
                  (*lead, key_heads, sizes[axes.key], sizes[axes.outer]))  # fmt: skip
    attributes: dict[str, Any] = {
        "causal": causal, "scale": parts.scores.scale * query.factor * keys.factor, "heads": heads,
        "key_heads": key_heads, "dropout": round(rate, 7),
    }  # fmt: skip
    inputs = (q, k, v, *([mask] if mask else []))
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


def _unpermuted(draft: Draft, operand: _Operand) -> _Operand:
    while (node := draft[operand.name]).op == "permute":
        operand = _before(node, operand)
    return operand


def _once(
    draft: Draft, node: Node, axes: _Axes, query: _Operand, keys: _Operand, values: _Operand, heads: int
) -> tuple[_Operand, _Operand, int]:
    """Return keys and values before each head of them was repeated for a group of queries."""
    shape = dict(zip(query.letters, draft[query.name].shape, strict=True))
    if not axes.head or any(shape[letter] != 1 for letter in axes.groups):
        return keys, values, heads
    once = unrepeated_heads(draft, node, keys.name, keys.letters.index(axes.head))
    other = unrepeated_heads(draft, node, values.name, values.letters.index(axes.head))
    if once is None or other is None or once[1] != other[1]:
        return keys, values, heads
    return replace(keys, name=once[0]), replace(values, name=other[0]), once[1]


def _arranged(draft: Draft, node: Node, operand: _Operand, letters: str, shape: Sequence[int]) -> str:
    """Return a value with its axes in an order, and then in a shape."""
    name, value = operand.name, draft[operand.name]
    if operand.letters != letters:
        order = tuple(operand.letters.index(letter) for letter in letters)
        sizes = tuple(value.shape[axis] for axis in order)
        value = draft.add(node, "permute", (name,), sizes, value.dtype, axes=order)
    if value.shape != tuple(shape):
        value = draft.add(node, "reshape", (value.name,), tuple(shape), value.dtype)
    return value.name


def _masks(
    draft: Draft, node: Node, scores: _Scores, axes: _Axes, sizes: dict[str, int]
) -> tuple[bool, str] | None:
    """Return whether it is causal, and the name of what else masks it, or ""; None if that is unclear."""
    causal, rest = False, []
    waiting = list(scores.masks)
    while waiting:
        mask = waiting.pop(0)
        value = draft[mask.name]
        if function(value, "logical_and") and len(value.inputs) == 2:
            waiting += [_Operand(name, mask.letters) for name in value.inputs]
            continue
        if value.get("mask") == "causal" and mask.letters[-2:] == axes.query + axes.key:
            causal = True
        elif not _is_open(value):
            rest.append(mask)
    if not rest:
        return causal, ""
    if len(rest) > 1 and any(draft[mask.name].dtype != "bool" for mask in rest):
        return None
    names = [_aligned(draft, node, mask, axes) for mask in rest]
    if any(name is None for name in names):
        return None
    first, *others = [name for name in names if name is not None]
    for other in others:
        shape = tuple(map(max, draft[first].shape, draft[other].shape))
        first = draft.add(node, "elementwise", (first, other), shape, "bool", function="logical_and").name
    return causal, first


def _is_open(mask: Node) -> bool:
    """Return whether a mask is known to hide nothing and to add nothing."""
    value, neutral = constant(mask), float(mask.dtype == "bool")
    if value is None:  # of a large one only its moments are held
        return mask.get("mean") == mask.get("second_moment") == neutral
    return bool((np.asarray(value) == neutral).all())


def _aligned(draft: Draft, node: Node, mask: _Operand, axes: _Axes) -> str | None:
    """Return a mask with the axes of the scores; None where it differs within groups of queries."""
    value = draft[mask.name]
    sizes = dict(zip(mask.letters, spread(value.shape, len(mask.letters)), strict=True))
    if any(sizes[letter] != 1 for letter in (*axes.groups, *(axes.head if axes.groups else ""))):
        return None
    full = draft.add(node, "reshape", (value.name,), tuple(sizes.values()), value.dtype).name
    wide = _Operand(value.name if draft[full].shape == value.shape else full, mask.letters)
    order = axes.batch + axes.head + axes.groups + axes.query + axes.key
    heads = sizes[axes.head] if axes.head else 1
    shape = (*(sizes[letter] for letter in axes.batch), heads, sizes[axes.query], sizes[axes.key])
    return _arranged(draft, node, wide, order, shape)
