r"""Losses: the gradients that a model starts with.

cross-entropy:         g = (softmax(x) - y) / N, y one of C classes at random
binary cross-entropy:  g = (sigmoid(x) - y) / N, y 0 or 1 at random
mean squared error:    g = 2 (x - y) / N, y standard normal

Where targets are values of the graph, y is what they are. A sum of losses has N = 1. What predictions tell of
a gradient is a population that is known, the rest of targets is drawn.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent, Part
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
        errors = _errors(kind, x, targets, node.get("smoothing", 0.0))
        return [_gradient(x, errors, inner / terms**2, context), *[None] * (len(inputs) - 1)]

    return Result(y, pullback)


def loss_gradient(kind: str, x: Signal, context: Context) -> Cotangent:
    """Return the gradient of a mean loss with respect to predictions, for random targets.

    Args:
        kind: One of `LOSSES`.
        x: Predictions: logits, or of "mse" values.
        context: Of the run.
    """
    factor = np.full((1, 1, 1, 1), _terms(kind, x) ** -2.0)
    return _gradient(x, _errors(kind, x, None), factor, context)


class _Errors(NamedTuple):
    """Gradients of losses.

    Args:
        known: What predictions tell of them, (rows, samples, points).
        drawn: Second moments of the rest between places.
    """

    known: Array
    drawn: Covariance

    def covariance(self, places: Places) -> Covariance:
        """Return their second moments between places."""
        return covariance(self.known, places) + self.drawn


def _gradient(x: Signal, errors: _Errors, factor: Covariance, context: Context) -> Cotangent:
    """Return the gradient with respect to predictions of a sum of losses.

    Args:
        x: Predictions.
        errors: Gradients of the losses.
        factor: Second moments of what each loss is multiplied by.
        context: Of the run.
    """
    if np.ptp(factor):
        return Cotangent.normal(errors.covariance(x.places) * factor)
    scale = math.sqrt(float(factor.flat[0]))
    known = Part.of_signals(errors.known * scale, x.places)
    found = Cotangent.normal(errors.drawn * scale**2).plus(known)
    share = known.size / max(sum(part.size for part in found.parts), 1e-300)
    return replace(found, chance=share * context.seen(x))


def _terms(kind: str, x: Signal) -> int:
    """Return how many losses a mean is over."""
    places = max(x.examples, 1) * x.places.total
    return places if kind == "cross_entropy" else places * x.width


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
        return second_moment(_errors(kind, x, targets).covariance(x.places), x.places) / 4
    else:
        y = targets.values if isinstance(targets, Signal) else _usual(targets, _BINARY)[0]
        each = np.logaddexp(0, values) - y * values
    return float(np.mean(each, axis=(0, 1)) @ x.places.share / x.places.total)


def _errors(kind: str, x: Signal, targets: Value | None, smoothing: float = 0.0) -> _Errors:
    """Return the gradient of the sum of all losses.

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
        return _differences(expit(values), x.places, targets, _BINARY)
    known, drawn = _differences(values * math.sqrt(x.correction), x.places, targets, _NORMAL)
    return _Errors(2 * known, 4 * drawn)


def _differences(values: Array, places: Places, targets: Value | None, usual: Moments) -> _Errors:
    """Return x - y.

    Args:
        values: x.
        places: Its positions.
        targets: y; None, or whole numbers, for the usual ones.
        usual: Mean and variance of those.
    """
    if isinstance(targets, Signal):
        return _Errors(values - targets.values, 0 * _own(places))
    mean, variance = _usual(targets, usual)
    return _Errors(values - mean, variance * _own(places))


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


def _of_classes(x: Signal, values: Array, targets: Value | None, smoothing: float) -> _Errors:
    """Return p - y.

    Labels know nothing of predictions or of each other, and E[p] = E[y] = 1 / C. Targets s that do not sum
    to 1 have the gradient p sum(s) - s.
    """
    groups, classes, nothing = Groups(len(values), x.width), x.width, 0 * _own(x.places)
    shares = groups.softmax(values)
    if isinstance(targets, Signal) and not math.isclose(targets.mean * classes, 1, rel_tol=_ONE):
        whole = np.broadcast_to(targets.values, values.shape)
        return _Errors(shares * groups.sums(whole) - whole, nothing)
    known = shares - 1 / classes
    if x.normal and classes > 1:
        known = _exact(known, x)
    if isinstance(targets, Signal):
        return _Errors(known, covariance(targets.values - 1 / classes, x.places))
    return _Errors(known, (1 - smoothing) ** 2 * (1 / classes - 1 / classes**2) * _own(x.places))


def _exact(known: Array, x: Signal) -> Array:
    """Return p - 1 / C with E[p^2] = P / C, exact for independent normal logits.

    Groups of rows are too few where few of many classes have nearly all of p.
    """
    points = known.shape[2]
    variances = np.broadcast_to(np.var(x.values, axis=0).mean(axis=0), (points,))
    seconds = [softmax_moments(x.width, float(variance)).sum_squares / x.width for variance in variances]
    own = np.maximum(np.asarray(seconds) - 1 / x.width**2, 0.0)
    drawn = np.mean(known**2, axis=(0, 1))
    return known * np.sqrt(np.divide(own, drawn, out=np.ones_like(own), where=drawn > 0))
