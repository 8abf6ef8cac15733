"""INP: the targets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from fanin.rules.finding import Finding, Fix
from fanin.rules.outputs import is_direct
from fanin.rules.rule import Rule
from fanin.rules.vitals import Target, Vitals

_FAR = 10.0, 100.0
_LEAST, _LARGEST = 1e-4, 100.0
_SEVERAL, _MANY = 8, 32
_MARKS = (-1.0, 0.0, 1.0)
_REAL = ("mse", "other")


class UnscaledTargets(Rule):
    """Real targets are far from 0, or of another scale than the outputs.

    **What it checks.** Of a regression, E[y^2] over Var(y): above 10 is an info, above 100 a warning, and so
    is sqrt(E[y^2]) above 100, or a variance below 1e-4.

    **Why it matters.** Most of what is learned first is the mean of the targets, by steps that are far too
    large for all the rest.

    **Evidence.** A model that always answers the mean has a ratio of 1. Outputs begin with a scale of 1 and
    grow by Adam's step, a thousandth, times as many units: a network of two layers of 64 ReLU units on
    diabetes data whose sqrt(E[y^2]) is 32, three times their deviation, has 1.6 times the error of answering
    the mean after 100 steps and half of it after 300; of 95 it is 5.3 and .8, of 316 8.3 and 1.3 times.

    **Instead.** Standardize the targets, or begin with their mean as the last bias.
    """

    code, name, severity = "INP105", "unscaled-targets", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that the targets are unscaled."""
        target, output = vitals.target, vitals.output
        if target is None or output.kind not in _REAL or not target.variance or output.loss is None:
            return
        if not math.isfinite(target.mean) or not math.isfinite(target.variance):
            return
        ratio = 1 + target.mean**2 / target.variance
        usual = target.variance >= _LEAST and target.variance * ratio <= _LARGEST**2
        if ratio <= _FAR[0] and usual:
            return
        yield self.finding(
            "targets",
            f"Targets have the mean {target.mean:.3g} and the standard deviation {target.variance**0.5:.2g}.",
            severity="warning" if ratio > _FAR[1] or not usual else "info",
            observed=target.mean,
            expected="a mean within three standard deviations, and a scale of order 1",
            fix=Fix("standardize the targets, or begin with their mean as the bias of the last layer"),
            loss=output.loss,
        )


class BroadcastTargets(Rule):
    """Outputs and targets have other shapes, and each is compared with many.

    **What it checks.** Whether the loss of a regression broadcasts outputs, such as (n, 1) with targets of
    (n,), which makes (n, n): the framework's own, or the user's, where an operation takes both as they are.
    Where both have as many axes, or outputs are compared with each other too, it is meant. JAX does not say
    how many axes a loss has given to what it takes: there outputs that are compared with each other tell.

    **Why it matters.** Every output is compared with every target: the best answer is their mean, for all
    examples. PyTorch only warns.

    **Instead.** The same shape: `output.squeeze(-1)`, or `target[:, None]`.
    """

    code, name, severity = "INP106", "broadcast-targets", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that targets are broadcast."""
        if vitals.target is not None and vitals.target.broadcast:
            yield self.finding(
                "targets",
                f"Targets are of another shape than the outputs, {vitals.output.shape}: each output is "
                "compared with several targets.",
                expected="the same shape",
                fix=Fix("output.squeeze(-1), or target[:, None]"),
            )


class OutOfRange(Rule):
    """Targets of a cross-entropy are no probabilities, or no classes.

    **What it checks.** The smallest and the largest target of a binary cross-entropy, which takes them for
    probabilities; the smallest and the largest label of one of C classes, which are 0 to C - 1. Labels that
    the loss leaves out do not count: PyTorch's `ignore_index`, Keras' `ignore_class`, in JAX those without a
    gradient.

    **Why it matters.** For targets of -1 or 2, or for pixels of 0 to 255, the loss has no lower bound: it
    falls for ever as logits grow. A label that is no class is an error in PyTorch, on a GPU one that says
    nothing of labels; Keras leaves such examples out or makes NaN of them, and JAX counts -1 from the end.
    Classes from 1 to C, or labels from which 1 was taken that began with 0, are the usual case.

    **Instead.** Labels of 0 and 1, or of 0 to C - 1; pixels divided by 255.
    """

    code, name, severity = "INP107", "targets-out-of-range", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that targets cannot be probabilities, or classes."""
        target, kind = vitals.target, vitals.output.kind
        if target is None or kind not in ("binary_cross_entropy", "cross_entropy"):
            return
        binary = kind == "binary_cross_entropy"
        last = 1 if binary else target.classes - 1
        if (target.low >= 0 and target.high <= last) or not last:  # one class: unfit-activation
            return
        found = f"from {target.low:.3g} to {target.high:.3g}"
        yield self.finding(
            "targets",
            f"Targets of a binary cross-entropy are {found}."
            if binary
            else f"Labels are {found}; the {target.classes} classes are 0 to {last}.",
            observed=target.low if target.low < 0 else target.high,
            expected=f"numbers from 0 to {last}",
            fix=Fix(
                "labels of 0 and 1, or targets that are scaled to 0 to 1"
                if binary
                else "labels that begin with 0, and an output for each class"
            ),
        )


class ConstantTargets(Rule):
    """Targets are all the same, so that there is nothing to tell apart.

    **What it checks.** Whether all targets of a batch of 8 examples and more are the same number, or of one
    class. A warning are one of three classes and more in 32 examples, where outputs are what the last layer
    makes, and numbers other than -1, 0 and 1. Shares of classes that are all 0, in all rows, are an error.

    **Why it matters.** The last bias alone answers it, and nothing else is learned: labels that a loader
    lost, a data set that is sorted by its classes, a column that was chosen by mistake. With rows of zeros a
    cross-entropy is 0 whatever the model answers: one-hot rows of classes that were counted wrongly.

    **Evidence.** Where n examples show one class, the others have less than 3 / n of all, with 95 % certainty
    (the rule of three): for 32 less than 9 %, which is common of two classes, as fraud and clicks are rare,
    and not of more. Networks that are trained against each other have 0 and 1 (GAN), or -1, 0 and 1 (LSGAN),
    for all of a batch, and equations have 0. Contrastive losses (MoCo) call the right one of their cosines
    class 0.

    **Instead.** Look at what the loader gives; shuffle.

    **References.** Hanley and Lippman-Hand (1983), JAMA 249(13); Mao et al. (2017), arXiv:1611.04076; He et
    al. (2020), arXiv:1911.05722.
    """

    code, name, severity = "INP109", "constant-targets", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that all targets are the same."""
        target = vitals.target
        if target is None or vitals.output.kind == "none" or vitals.output.loss is None:
            return
        if target.empty == 1 and target.classes > 1:
            what, severity = "Targets are shares of classes, and all of them are 0", "error"
        elif target.constant and vitals.examples >= _SEVERAL and target.classes != 1:
            what, severity = _same(vitals, target)
        else:
            return
        yield self.finding(
            "targets",
            f"{what}, in {vitals.examples} examples.",
            severity=severity,
            expected="targets that differ",
            fix=Fix("look at what the loader gives; shuffle"),
        )


def _same(vitals: Vitals, target: Target) -> tuple[str, Literal["warning", "info"]]:
    """Return what all targets are, and how grave that is."""
    if not target.classes:
        return f"All targets are {target.mean:.3g}", "info" if target.mean in _MARKS else "warning"
    if vitals.output.kind == "binary_cross_entropy":
        return f"All targets are {target.low:.3g}", "info"
    many = target.classes > 2 and vitals.examples >= _MANY and is_direct(vitals)
    return f"All labels are of one of the {target.classes} classes", "warning" if many else "info"


RULES = (UnscaledTargets, BroadcastTargets, OutOfRange, ConstantTargets)
