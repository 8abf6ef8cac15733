r"""Losses: the gradients that a model starts with.

cross-entropy:         g = (softmax(x) - y) / N, y one of C classes at random
binary cross-entropy:  g = (sigmoid(x) - y) / N, y 0 or 1 at random
mean squared error:    g = 2 (x - y) / N, y standard normal

Where targets are values of the graph, y is what they are. A sum of losses has N = 1.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.special import expit

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, covariance, joined, second_moment
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.rules.softmax import Groups
from fanin.theory.propagation.signal import (
    Contributions,
    Fixed,
    Kernel,
    Result,
    Signal,
    Tokens,
    Unknown,
    Value,
)
from fanin.theory.softmax import softmax_moments

LOSSES = ("cross_entropy", "binary_cross_entropy", "mse")

Moments = tuple[float, float]
"""Mean and variance."""

_BINARY, _NORMAL = (0.5, 0.25), (0.0, 1.0)
"""Those of targets that nobody gives."""

_ONE = 0.05
"""Targets whose sum over the classes is so close to 1 on average are taken for probabilities."""


def loss(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return a loss, a mean or a sum of so many that chance does not show in it, or each of them."""
    x, targets = inputs[0], inputs[1] if len(inputs) > 1 else None
    if not isinstance(x, Signal):
        return Result(x if isinstance(x, Unknown) else Unknown(f"{node.name}: it reads no signal"))
    kind, reduction = node["kind"], node.get("reduction", "mean")
    if kind == "binary_cross_entropy" and not node.get("logits", True):
        return Result(Unknown(f"{node.name}: binary_cross_entropy of what is not a sigmoid"))
    if why := _why_not(kind, x, targets):
        return Result(Unknown(f"{node.name}: {why}"))
    places, examples = (x.places, x.examples) if reduction == "none" else (Places(), 1)
    number = _terms(kind, x)
    level = _level(kind, x, targets) * (number if reduction == "sum" else 1)
    y = Signal(np.full((1, 1, 1), level), places, number, examples)
    terms = number if reduction == "mean" else 1

    def pullback(cotangent: Cotangent) -> Contributions:
        given = cotangent.covariance(places)
        inner = given if reduction == "none" else given[:1, :1, :1, :1]
        each = _of_each(kind, x, targets, node.get("smoothing", 0.0))
        return [_gradient(kind, x, each, inner / terms**2, context), *[None] * (len(inputs) - 1)]

    return Result(y, pullback)


def loss_gradient(kind: str, x: Signal, context: Context) -> Cotangent:
    """Return the gradient of a mean loss with respect to predictions, for random targets.

    Args:
        kind: One of `LOSSES`.
        x: Predictions: logits, or of "mse" values.
        context: Of the run.
    """
    factor = np.full((1, 1, 1, 1), _terms(kind, x) ** -2.0)
    return _gradient(kind, x, _of_each(kind, x, None), factor, context)


def _gradient(kind: str, x: Signal, each: Covariance, factor: Covariance, context: Context) -> Cotangent:
    """Return the gradient with respect to predictions of a sum of losses.

    Args:
        kind: One of `LOSSES`.
        x: Predictions.
        each: Second moments of the gradients of the losses.
        factor: Of what each loss is multiplied by.
        context: Of the run.
    """
    each = each * factor
    shared = _shared(kind, x) * factor
    base = context.total(each * x.covariance, x.places, x.examples)
    met = context.total(shared, x.places, x.examples) / base if base > 0 else 0.0
    return replace(Cotangent.normal(each), met=met)


def _terms(kind: str, x: Signal) -> int:
    """Return how many losses a mean is over."""
    places = max(x.examples, 1) * x.places.total
    return places if kind == "cross_entropy" else places * x.width


def _shared(kind: str, x: Signal) -> Covariance:
    """Return how gradients at two places go with what predictions are made of there.

    Inputs overlap by chance, predictions as they do, and errors as the predictions: dE[g g'] = E[f' f'] dE[x
    x'], so that by products of relative variance t, in terms of what the places differ by, E[g g'] E[x x']
    has t E[f' f'] ((1 - c) q)^2 more.
    """
    values = np.broadcast_to(x.values, (len(x.values), SAMPLES, len(x.places)))
    own = np.einsum("abab->ab", x.covariance)
    apart = (own[:, :, None, None] + own) / 2 - x.covariance
    if kind == "mse":
        return 4 * apart**2
    shares = expit(values) if kind == "binary_cross_entropy" else Groups(len(values), x.width).softmax(values)
    return covariance(shares * (1 - shares), x.places) * apart**2


def _why_not(kind: str, x: Signal, targets: Value | None) -> str:
    """Return why nobody knows the gradients with these targets."""
    if isinstance(targets, Tokens) and kind == "mse":
        return "mse of whole numbers"
    if isinstance(targets, Kernel) and targets.law is None:
        return f"nobody knows what {targets.weight} is distributed by"
    if isinstance(targets, Signal) and targets.places not in (x.places, Places()):
        return "its targets have other positions than its predictions"
    return ""


def _level(kind: str, x: Signal, targets: Value | None) -> float:
    """Return the mean of all losses."""
    values = np.broadcast_to(x.values, (len(x.values), SAMPLES, len(x.places)))
    if kind == "cross_entropy":
        weight = targets.mean * x.width if isinstance(targets, Signal) else 1.0
        each = -weight * Groups(len(values), x.width).log_softmax(values)
    elif kind == "mse":
        return second_moment(_of_each(kind, x, targets), x.places) / 4
    else:
        y = targets.values if isinstance(targets, Signal) else _usual(targets, _BINARY)[0]
        each = np.logaddexp(0, values) - y * values
    return float(np.mean(each, axis=(0, 1)) @ x.places.share / x.places.total)


def _of_each(kind: str, x: Signal, targets: Value | None, smoothing: float = 0.0) -> Covariance:
    """Return E[g g'] between places, of the sum of all losses.

    Args:
        kind: One of `LOSSES`.
        x: Predictions.
        targets: Targets; None for the usual ones.
        smoothing: Share of the label that all classes have.
    """
    values = np.broadcast_to(x.values, (len(x.values), SAMPLES, len(x.places)))
    if kind == "cross_entropy":
        return _of_classes(x, values, targets, smoothing)
    if kind == "binary_cross_entropy":
        return _of_differences(expit(values), x.places, targets, _BINARY)
    found = _of_differences(values, x.places, targets, _NORMAL)
    return 4 * (found + x.covariance - covariance(values, x.places))


def _of_differences(values: Array, places: Places, targets: Value | None, usual: Moments) -> Covariance:
    """Return E[(x - y) (x' - y')] between places.

    Args:
        values: x.
        places: Its positions.
        targets: y; None, or whole numbers, for the usual ones.
        usual: Mean and variance of those.
    """
    if isinstance(targets, Signal):
        return covariance(values - targets.values, places)
    mean, variance = _usual(targets, usual)
    return covariance(values - mean, places) + variance * _own(places)


def _usual(targets: Value | None, usual: Moments) -> Moments:
    """Return mean and variance of targets that are no signal."""
    if isinstance(targets, Fixed):
        return targets.mean, targets.second - targets.mean**2
    if isinstance(targets, Kernel) and targets.law is not None:
        return targets.law.mean, targets.law.variance
    return usual


def _own(places: Places) -> Covariance:
    """Return 1 between a place and itself."""
    points = len(places)
    return joined(np.eye(points), np.zeros((points, points)))


def _of_classes(x: Signal, values: Array, targets: Value | None, smoothing: float) -> Covariance:
    """Return E[(p - y) (p' - y')] between places.

    Labels know nothing of predictions or of each other, and E[p] = E[y] = 1 / C. Targets s that do not sum
    to 1 have the gradient p sum(s) - s.
    """
    groups, classes = Groups(len(values), x.width), x.width
    shares = groups.softmax(values)
    if isinstance(targets, Signal) and not math.isclose(targets.mean * classes, 1, rel_tol=_ONE):
        whole = np.broadcast_to(targets.values, values.shape)
        return covariance(shares * groups.sums(whole) - whole, x.places)
    found = covariance(shares - 1 / classes, x.places)
    if x.normal and classes > 1:
        found = _exact(found, x)
    if isinstance(targets, Signal):
        return found + covariance(targets.values - 1 / classes, x.places)
    return found + (1 - smoothing) ** 2 * (1 / classes - 1 / classes**2) * _own(x.places)


def _exact(found: Covariance, x: Signal) -> Covariance:
    """Return second moments of p - 1 / C with E[p^2] = P / C, exact for independent normal logits.

    Groups of rows are too few where few of many classes have nearly all of p.
    """
    variances = np.var(x.values, axis=0).mean(axis=0)
    variances = np.broadcast_to(variances, (found.shape[1],))
    seconds = [softmax_moments(x.width, float(variance)).sum_squares / x.width for variance in variances]
    own = np.maximum(np.asarray(seconds) - 1 / x.width**2, 0.0)
    drawn = np.diagonal(found[0, :, 0])
    scale = np.sqrt(np.divide(own, drawn, out=np.ones_like(own), where=drawn > 0))
    return found * scale[:, None, None] * scale
