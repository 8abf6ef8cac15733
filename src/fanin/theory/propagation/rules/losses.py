r"""Losses: the gradients that a model starts with.

cross-entropy:         g = (softmax(x) - y) / N, y one of C classes at random
binary cross-entropy:  g = (sigmoid(x) - y) / N, y 0 or 1 at random
mean squared error:    g = 2 (x - y) / N, y standard normal
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.cotangent import Cotangent
from fanin.theory.propagation.covariance import Covariance, covariance, joined
from fanin.theory.propagation.places import SAMPLES, Places
from fanin.theory.propagation.rules.softmax import Groups
from fanin.theory.propagation.signal import (
    Contributions,
    Result,
    Signal,
    Unknown,
    Value,
)
from fanin.theory.softmax import softmax_moments

LOSSES = ("cross_entropy", "binary_cross_entropy", "mse")


def loss(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return a mean loss for random targets."""
    x = inputs[0]
    if not isinstance(x, Signal):
        return Result(x if isinstance(x, Unknown) else Unknown(f"{node.name}: it reads no signal"))
    gradient = loss_gradient(node["kind"], x, context)
    y = Signal(np.zeros((1, 1, 1)), Places(), 1, 1)

    def pullback(cotangent: Cotangent) -> Contributions:
        return [gradient, *[None] * (len(inputs) - 1)]

    return Result(y, pullback)


def loss_gradient(kind: str, x: Signal, context: Context) -> Cotangent:
    """Return the gradient of a mean loss with respect to predictions, for random targets.

    Args:
        kind: One of `LOSSES`.
        x: Predictions: logits, or of "mse" values.
        context: Of the run.
    """
    number = max(x.examples, 1) * x.places.total
    places, points = x.places, len(x.places)
    values = np.broadcast_to(x.values, (len(x.values), SAMPLES, points))
    target = joined(np.eye(points), np.zeros((points, points)))
    if kind == "cross_entropy":
        shares = Groups(len(values), x.width).softmax(values)
        # Labels know nothing of predictions or of each other, and E[p] = E[y] = 1 / C.
        found = covariance(shares - 1 / x.width, places)
        if x.normal:
            found = _exact(found, x)
        return Cotangent.normal((found + (1 / x.width - 1 / x.width**2) * target) / number**2)
    number *= x.width
    if kind == "binary_cross_entropy":
        inner = covariance(expit(values) - 0.5, places) + target / 4
        return Cotangent.normal(inner / number**2)
    return Cotangent.normal(4 * (x.covariance + target) / number**2)


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
