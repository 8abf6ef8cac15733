"""OUT: the last activation, and the loss that takes what it makes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Vitals

_NEAR = 1e-2
_RANGES = {
    "relu": (0.0, math.inf),
    "softplus": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hardtanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
}
"""The numbers that a last activation can make."""
_PROBABILITIES = ("softmax", "log_softmax", "sigmoid")
"""What makes probabilities of logits, or their logarithms."""

_Wrong = tuple[str, Literal["error", "warning"]]


class UnfitActivation(Rule):
    """The last activation does not fit the loss, or the targets.

    **What it checks.** A softmax, or a cross-entropy, over one unit; a ReLU or tanh whose values are taken
    for probabilities or for logits; a softmax or sigmoid before a loss that applies its own, or another
    bounded function or ReLU right before the softmax or sigmoid that makes the probabilities, in the model or
    in the loss; in Keras no activation at all before a loss of probabilities. Numbers that cannot be what the
    loss takes them for: probabilities are from 0 to 1, so that their variance is at most m (1 - m) for the
    mean m, and those of C classes have the mean 1 / C; logarithms of probabilities have a mean of -ln C at
    most. Of a regression, targets of which more than 5 % lie on one side of what the last activation, or a
    clamp, can make.

    **Why it matters.** A softmax over one unit is 1, always, and a cross-entropy over one class is 0. A loss
    of logits that is given probabilities sees numbers from 0 to 1, and cannot go below ln(1 + (C - 1) / e),
    and so it is with a second softmax; a sigmoid of what a ReLU has made cannot say less than 1/2.
    `NLLLoss` without logarithms has no lower bound, and Keras cuts what is no probability to 1e-7, which has
    no gradient. What a tanh cannot reach no training reaches.

    **Instead.** Logits with a loss of logits; for one unit a sigmoid; for a regression no last activation,
    or targets that are scaled into its range.

    **References.** Bhatia and Davis (2000), American Mathematical Monthly 107(4), for the variance.
    """

    code, name, severity = "OUT102", "unfit-activation", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that the last activation does not fit."""
        classifies = vitals.output.kind in ("cross_entropy", "binary_cross_entropy")
        fits_loss = _of_classes if classifies else _of_numbers
        wrong = _of_one(vitals) or fits_loss(vitals) or _of_two(vitals)
        if wrong is not None:
            message, severity = wrong
            yield self.finding(
                vitals.output.layer,
                message,
                severity=severity,
                expected=_expected(vitals) if classifies else "targets that the last activation can reach",
                fix=Fix("leave the last activation out, or choose the loss that fits it"),
            )


def _of_one(vitals: Vitals) -> _Wrong | None:
    """Return what is wrong with one unit."""
    output, target = vitals.output, vitals.target
    if output.ends_in == "softmax" and output.shape and output.shape[-1] == 1:
        return "A softmax over one unit is always 1: the output depends on nothing.", "error"
    if output.kind == "cross_entropy" and target is not None and target.classes == 1:
        return "A cross-entropy over one class is always 0: nothing is learned.", "error"
    return None


def _of_two(vitals: Vitals) -> _Wrong | None:
    """Return that a bounded function is followed by another one; a softmax of logarithms changes nothing."""
    output = vitals.output
    if output.before in _RANGES and output.ends_in in _PROBABILITIES:
        return f"The output is a {output.ends_in} of what a {output.before} has made.", "warning"
    if output.ends_in in _RANGES and output.applied in _PROBABILITIES:
        return f"The loss takes a {output.applied} of what a {output.ends_in} has made.", "warning"
    return None


def _of_classes(vitals: Vitals) -> _Wrong | None:
    """Return what is wrong with outputs that are taken for probabilities or for logits."""
    output = vitals.output
    ends, taken = output.ends_in, _expected(vitals)
    if ends in ("relu", "tanh"):
        return f"The output ends in {ends}, and the loss takes it for {taken}.", "warning"
    if ends in ("softmax", "sigmoid") and output.logits:
        return f"The loss applies its own {ends} to what a {ends} has made.", "warning"
    if output.logits or not output.values.finite:
        return None
    if vitals.framework == "torch" and _no_logarithms(vitals):
        made = f"made by a {ends}" if ends else f"of the mean {output.values.mean:.2g}"
        return f"The loss takes outputs {made} for logarithms of probabilities.", "error"
    if vitals.framework == "keras" and (_no_probabilities(vitals) or _is_linear(vitals)):
        return f"The loss takes outputs of the scale {output.values.scale:.2g} for probabilities.", "error"
    if vitals.framework == "keras" and _no_shares(vitals):
        return "The loss takes outputs for probabilities of classes, and they do not add up to 1.", "warning"
    return None


def _of_numbers(vitals: Vitals) -> _Wrong | None:
    """Return that targets lie outside of what the last activation can make."""
    output, target = vitals.output, vitals.target
    bounds = output.bounds or _RANGES.get(output.ends_in)
    if output.kind not in ("mse", "other") or target is None or bounds is None:
        return None
    low, high = bounds
    near = _NEAR * math.sqrt(target.variance)
    if target.low >= low - near and target.high <= high + near:
        return None
    return (
        f"The output ends in {output.ends_in}, which is from {low:g} to {high:g}; targets are from "
        f"{target.low:.3g} to {target.high:.3g}.",
        "warning",
    )


def _no_logarithms(vitals: Vitals) -> bool:
    """Return whether outputs cannot be logarithms of probabilities, whose mean is -ln C at most."""
    target = vitals.target
    if vitals.output.kind != "cross_entropy" or target is None or vitals.output.ends_in == "log_softmax":
        return False
    return vitals.output.values.mean > -math.log(target.classes) * (1 - _NEAR)


def _no_probabilities(vitals: Vitals) -> bool:
    """Return whether outputs cannot be from 0 to 1."""
    values = vitals.output.values
    most = values.mean * (1 - values.mean)
    return values.largest > 1 + _NEAR or values.mean < 0 or values.sd**2 > most + 1e-6


def _is_linear(vitals: Vitals) -> bool:
    """Return whether the output is what a layer with weights returns, and no function has bounded it."""
    last = vitals.weighted[-1:]
    return not vitals.output.ends_in and any(layer.output == vitals.output.values for layer in last)


def _no_shares(vitals: Vitals) -> bool:
    """Return whether outputs cannot be shares of the classes, whose mean is 1 / C."""
    target = vitals.target
    if vitals.output.kind != "cross_entropy" or target is None:
        return False
    return abs(vitals.output.values.mean * target.classes - 1) > _NEAR


def _expected(vitals: Vitals) -> str:
    if vitals.output.logits:
        return "logits"
    nll = vitals.framework == "torch" and vitals.output.kind == "cross_entropy"
    return "logarithms of probabilities" if nll else "probabilities"
