"""Losses: means and sums of what predictions and targets make, class by class or element by element."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from fanin.graph.signal import Attribute, Node
from fanin.theory.activation import Array
from fanin.theory.recognition.draft import Draft, bare, constant, function, scalar
from fanin.theory.recognition.elements import value_of
from fanin.theory.recognition.softmax import log_sum
from fanin.theory.recognition.totals import Total, scaled, total

_PREDICTIONS = np.array([-20.0, -6.1, -2.3, -0.7, 0.0, 0.4, 1.9, 5.3, 20.0])[:, None]
_TARGETS = np.array([-0.5, 0.0, 0.3, 0.9, 1.0, 2.0])
"""Where functions of both are compared; targets are no probabilities, so that what clips them shows."""

_OF_TWO: Mapping[str, Array] = {
    "binary_cross_entropy": np.logaddexp(0, _PREDICTIONS) - _TARGETS * _PREDICTIONS,
    "mse": np.square(_PREDICTIONS - _TARGETS),
}

_LONGEST = 32
"""Small functions that a loss may be made of."""


def loss(draft: Draft, node: Node) -> None:
    """Put a mean or a sum of squared differences, of cross-entropies or of binary ones together."""
    if node.op == "loss":
        _of_logits(draft, node)
        return
    if not any(draft[name].shape == () for name in draft.graph.outputs):
        return
    found = total(draft, node)
    if found is None or not draft.varies(found.each.name):
        return
    if found.each.op == "loss":
        _of_loss(draft, node, found)
    elif not _cross_entropy(draft, node, found):
        _of_elements(draft, node, found)


def _put(
    draft: Draft, node: Node, inputs: tuple[str, ...], factor: float, terms: float, **more: Attribute
) -> None:
    """Let a node be so many times a mean over so many losses."""
    for reduction, wanted in (("mean", 1.0), ("sum", terms)):
        if math.isclose(factor, wanted, rel_tol=1e-6):
            draft.put(node, "loss", inputs, reduction=reduction, **more)
            return
    mean = draft.add(node, "loss", inputs, (), node.dtype, reduction="mean", **more)
    draft.put(node, "elementwise", (mean.name,), function="multiply", scalars=(factor, None))


def _of_logits(draft: Draft, node: Node) -> None:
    """Let a binary cross-entropy of sigmoids read what these are of."""
    predictions = draft[node.inputs[0]]
    if node.get("logits") is False and function(predictions, "sigmoid"):
        inputs = (*predictions.inputs, *node.inputs[1:])
        draft.put(node, "loss", inputs, **{**node.attributes, "logits": True})


def _of_loss(draft: Draft, node: Node, found: Total) -> None:
    """Put what follows a loss together: a minus before it and one behind it are none."""
    factor, each = found
    if each["reduction"] == "none":
        # Not a mean, which leaves out what is ignored.
        each = draft.add(node, "loss", each.inputs, (), **{**each.attributes, "reduction": "sum"})
    if math.isclose(factor, 1.0, rel_tol=1e-6):
        draft.put(node, "loss", each.inputs, **each.attributes)
    elif each.name not in node.inputs:
        draft.put(node, "elementwise", (each.name,), function="multiply", scalars=(factor, None))


# Of classes


def _cross_entropy(draft: Draft, node: Node, found: Total) -> bool:
    for logs in (_weighted, _picked, _without_label):
        read = logs(draft, found.each)
        if read is None:
            continue
        x = draft[read.x]
        positions = math.prod(x.shape) / x.shape[read.axis]
        more: dict[str, Attribute] = {"smoothing": read.smoothing} if read.smoothing else {}
        factor = -read.factor * found.factor * positions
        inputs = (read.x, read.targets)
        _put(draft, node, inputs, factor, positions, kind="cross_entropy", axis=read.axis, **more)
        return True
    return False


class _Logs(NamedTuple):
    """Logarithms of probabilities, of which targets take their share.

    Args:
        factor: What they are multiplied with.
        x: The logits.
        axis: The axis of the classes.
        targets: Shares of all classes, or the labels.
        smoothing: Share of a label that all classes have.
    """

    factor: float
    x: str
    axis: int
    targets: str
    smoothing: float = 0.0


def _weighted(draft: Draft, each: Node) -> _Logs | None:
    """Return what a product of targets with logarithms of probabilities is made of."""
    if not function(each, "multiply") or len(each.inputs) != 2:
        return None
    for logs, targets in (each.inputs, each.inputs[::-1]):
        factor, inner = scaled(draft, draft[logs])
        found = _log_probabilities(draft, inner)
        if found is None or not draft[targets].shape == inner.shape == each.shape:
            continue
        weight, labels, smoothing = _labels(draft, draft[targets], found[1])
        return _Logs(factor * weight, *found, labels, smoothing)
    return None


def _labels(draft: Draft, targets: Node, axis: int) -> tuple[float, str, float]:
    """Return a factor, the labels that targets are 1 at and else 0, and the share that all classes have.

    Targets that are not of labels stand for themselves.
    """
    factor, inner = scaled(draft, targets)
    level, number = 0.0, scalar(inner)
    if function(inner, "add") and number is not None:
        level = number * factor
        more, inner = scaled(draft, draft[inner.inputs[0]])
        factor *= more
    ids, total = _counted(draft, inner, axis), factor + level * targets.shape[axis]
    return (total, ids, 1 - factor / total) if ids and total else (1.0, targets.name, 0.0)


def _log_probabilities(draft: Draft, node: Node) -> tuple[str, int] | None:
    """Return the logits and the axis of a softmax whose logarithm a node is."""
    if function(node, "log"):
        node, log = draft[node.inputs[0]], False
    else:
        log = True
    return (node.inputs[0], node["axis"]) if node.op == "softmax" and node["log"] is log else None


def _counted(draft: Draft, node: Node, axis: int) -> str | None:
    """Return the whole numbers of which a node is 1 at the place of each, along an axis, and else 0."""
    if not function(node, "equal") or len(node.inputs) != 2:
        return None
    for one, other in (node.inputs, node.inputs[::-1]):
        ids, count = bare(draft, one), draft[other]
        rest = tuple(size for place, size in enumerate(node.shape) if place != axis)
        if count.op == "constant" and _counts(count, node.shape, axis) and ids.shape == rest:
            return ids.name
    return None


def _counts(count: Node, shape: tuple[int, ...], axis: int) -> bool:
    """Return whether a constant is 0, 1, 2, ... along an axis."""
    size = shape[axis]
    wide = (1,) * (len(shape) - len(count.shape)) + count.shape
    if wide != tuple(size if place == axis else 1 for place in range(len(shape))):
        return False
    value = constant(count)
    if value is not None:
        return np.array_equal(np.ravel(value), np.arange(size))
    # A constant too large to be held is told by its moments.
    moments = (size - 1) / 2, (size - 1) * (2 * size - 1) / 6
    return np.allclose((count.get("mean"), count.get("second_moment")), moments, rtol=1e-9)


def _picked(draft: Draft, each: Node) -> _Logs | None:
    """Return what the logarithms of the labels' probabilities are taken from."""
    if each.get("operator") != "take_along_axis":
        return None
    factor, inner = scaled(draft, draft[each.inputs[0]])
    found = _log_probabilities(draft, inner)
    same = found is not None and found[1] == each["axis"]
    return _Logs(factor, *found, each.inputs[1]) if found is not None and same else None


def _without_label(draft: Draft, each: Node) -> _Logs | None:
    """Return what log(sum(exp(x))) without x of the label is made of."""
    if not function(each, "subtract") or len(each.inputs) != 2:
        return None
    found, label = log_sum(draft, each.inputs[0]), bare(draft, each.inputs[1])
    if found is None or label.get("operator") != "take_along_axis" or label.inputs[0] != found[0]:
        return None
    return None if label["axis"] != found[1] else _Logs(-1.0, *found, label.inputs[1])


# Of elements


def _of_elements(draft: Draft, node: Node, found: Total) -> None:
    """Put a loss together whose elements have the values of a known function of predictions and targets."""
    cone = _cone(draft, found.each)
    learned = _learned(draft, cone)
    predictions = [name for name in cone if name in learned] or cone
    targets = [name for name in cone if name not in learned] or cone
    for x in predictions:
        for y in targets:
            values = _values(draft, found.each, cone, {x: _PREDICTIONS, y: _TARGETS}) if x != y else None
            for kind, known in _OF_TWO.items():
                if factor := _times(values, known):
                    _put_elements(draft, node, found, kind, (x, y), factor)
                    return
    _of_one(draft, node, found, cone, predictions)


def _of_one(draft: Draft, node: Node, found: Total, cone: list[str], predictions: list[str]) -> None:
    """Put a loss together whose targets are all 0, or all 1, as in softplus(x) and softplus(-x)."""
    for x, kind, target in itertools.product(predictions, _OF_TWO, (0.0, 1.0)):
        values = _values(draft, found.each, cone, {x: _PREDICTIONS})
        if factor := _times(values, _OF_TWO[kind][:, target == _TARGETS]):
            y = draft.add(node, "constant", (), (), value=target)
            _put_elements(draft, node, found, kind, (x, y.name), factor)
            return


def _put_elements(
    draft: Draft, node: Node, found: Total, kind: str, inputs: tuple[str, str], factor: float
) -> None:
    terms = math.prod(found.each.shape)
    more: dict[str, Attribute] = {"logits": True} if kind == "binary_cross_entropy" else {}
    _put(draft, node, inputs, factor * found.factor * terms, terms, kind=kind, **more)


def _cone(draft: Draft, each: Node) -> list[str]:
    """Return the varying values of one shape that elements are made of, the earliest first, without them."""
    found: set[str] = set()
    waiting = [each.name]
    while waiting and len(found) <= _LONGEST:
        name = waiting.pop()
        if name in found or not draft.varies(name) or draft[name].shape != each.shape:
            continue
        found.add(name)
        if draft[name].op == "elementwise":
            waiting += draft[name].inputs
    return [name for name in draft.nodes if name in found and name != each.name]


def _learned(draft: Draft, names: list[str]) -> set[str]:
    """Return which values depend on parameters."""
    known: dict[str, bool] = {}
    waiting = list(names)
    while waiting:
        node = draft[waiting[-1]]
        missing = [name for name in node.inputs if name not in known]
        if not missing:
            known[waiting.pop()] = node.op == "parameter" or any(known[name] for name in node.inputs)
        waiting += missing
    return {name for name in names if known[name]}


def _values(draft: Draft, each: Node, cone: list[str], given: Mapping[str, Array]) -> Array | None:
    """Return elements as a function of some values; None where they are made of others too."""
    made = dict(given)
    for name in (*cone, each.name):
        step = draft[name]
        if name not in made and step.op == "elementwise" and all(read in made for read in step.inputs):
            found = value_of(step, [made[read] for read in step.inputs])
            if found is not None:
                made[name] = found
    return made.get(each.name)


def _times(values: Array | None, known: Array) -> float:
    """Return the factor by which values are those of a known function; 0 where they are not."""
    if values is None or np.shape(values) != known.shape:
        return 0.0
    largest = np.argmax(np.abs(known))
    factor = float(values.flat[largest] / known.flat[largest])
    close = np.allclose(values, factor * known, rtol=1e-5, atol=1e-6 * abs(factor))
    return factor if close and np.isfinite(factor) else 0.0
