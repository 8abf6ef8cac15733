"""OUT: the last layer, and the first loss."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fanin.rules.endings import UnfitActivation
from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Spread, Vitals

_EXCESS = 1.0
_WIDE = 4.5
_GRAVE = 10.0
_BY_CHANCE = 3.5
_LOGITS = 3.0
_BASELINE = 10.0
_PRIOR = 0.1
_PROBABILITIES = ("softmax", "log_softmax", "sigmoid")
"""What makes outputs of logits."""


class HighInitialLoss(Rule):
    """The first loss is far above that of a guess.

    **What it checks.** Cross-entropy of C classes: a model that knows nothing has ln C, or at best the
    entropy of the classes' frequencies. Logits of variance s^2 add about s^2 / 2, and as labels have it by
    chance, s / sqrt(n) either way for n labels: d = 2 s / sqrt(n), or 3.5 if that is less, is allowed for it.
    Above ln C + 1 + d is a warning, above ln C + 10 + d (of ten classes, logits of a standard deviation of 8)
    an error. For a regression: above 10 E[y^2], that of always answering 0, or outputs whose variance over
    examples is above 9 Var(y), which is the same where E[y] is 0. Any other loss is taken of outputs that are
    all 0, and 10 times that is too much, where outputs are of a scale above 3. Of a loss with several terms,
    a sum, or one that weighs its classes, the mean over all that is compared counts. Where outputs are not
    what the last layer makes it is a warning at most, and where they are larger than that, as cosines times a
    factor are, from ln C + 4.5 + d on (logits of a standard deviation of 3).

    **Why it matters.** A model that is sure of what it does not know first has to unlearn it; the first steps
    are large, and whatever schedule begins with them suffers.

    **Evidence.** Two hidden layers of 128 on digits, with a last layer that was multiplied: from first losses
    of 4 and 8 they learn as fast and as well as from 2.3 (each with its best step), from 13 to 26 they lose 2
    points of accuracy, and from 260 they lose 8 and take four to six times as many steps. Cosines times 1 /
    .07, as CLIP begins with, have a standard deviation of .6 at its width of 512, and 2.5 at 32. ArcFace and
    CosFace begin with 20 to 45, as they multiply cosines by 64 and take a margin off the right one. Other
    healthy models exceed ln C by .74 at most; with 2 to 4 labels, families of torchvision and timm were seen
    at 2.6 and 3.9, all of them within 2 s / sqrt(n) of less than 1. The reverse is no proof: ten and more
    faults start at exactly ln C. Products of two tables of N(0, 1), of width 64, have 32 times the variance
    of ratings from 1 to 5, which have a mean of 3: 6.8 times E[y^2] tell less. A healthy network whose inputs
    are from 0 to 1 may be off by 10 variances all the same, in its mean, which a bias learns in a few steps.
    A log-variance of a scale above 3 is exp(3) off: a Gaussian likelihood begins 1e5 times as high as with
    zeros. Losses with signs, as policy gradients have, may be near 0 for outputs of 0, but their outputs are
    small.

    **Instead.** A smaller last layer: variance 1 / fan_in or less, or zeros; standardized targets.

    **References.** Karpathy (2019), A recipe for training neural networks.
    """

    code, name, severity = "OUT101", "high-initial-loss", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that the first loss is high."""
        output, guess = vitals.output, baseline(vitals)
        loss = _mean(vitals)
        if loss is None or not math.isfinite(loss):
            return
        if output.kind == "other" and output.zero and output.values.scale > _LOGITS:
            yield from self._of_numbers(vitals, loss, output.zero, math.inf)
        elif guess is None:
            return
        elif output.kind == "mse":
            mean = vitals.target.mean if vitals.target is not None else 0.0
            yield from self._of_numbers(vitals, loss, guess + mean**2, guess)
        elif loss > (limit := guess + (_WIDE if _is_multiplied(vitals) else _EXCESS) + _chance(vitals)):
            yield self.finding(
                output.layer,
                f"The first loss is {loss:.3g}; a guess has {guess:.3g}. Logits have a standard "
                f"deviation of {_logits(vitals).sd:.2g}.",
                severity="error" if loss > limit - _EXCESS + _GRAVE and is_direct(vitals) else "warning",
                observed=loss,
                expected=f"at most {limit:.3g}",
                fix=_head(vitals),
                guess=guess,
            )

    def _of_numbers(self, vitals: Vitals, loss: float, zero: float, unit: float) -> Iterator[Finding]:
        """Yield that a loss is high, relative to that of outputs that are 0, or to how targets vary."""
        times, beside = loss / zero if zero > 0 else 0.0, ""
        if times <= _BASELINE and loss > zero:
            times, beside = 1 + _varied(vitals) / unit, ", and outputs vary more than targets do"
        if times > _BASELINE:
            yield self.finding(
                vitals.output.layer,
                f"The first loss is {loss:.3g}; always answering 0 has {zero:.3g}{beside}.",
                severity="error" if times > 100 * _BASELINE else "warning",
                observed=times,
                expected=f"at most {_BASELINE:g} times",
                fix=_head(vitals),
            )


class ClassPrior(Rule):
    """The classes are uneven, and the last bias does not say so.

    **What it checks.** ln C less the entropy of the classes in the batch, weighted as the loss weighs them,
    above 0.1, where the last layer has a bias. Of n examples 2 n times that is chi-squared with C - 1 degrees
    of freedom for even classes: what is less than 3 standard deviations above its mean is chance. A first
    loss that is lower already knows it.

    **Why it matters.** The first steps only learn the frequencies; a bias of their logarithms knows them.

    **Evidence.** It helps the heads of detectors (RetinaNet's -4.595), and hurt a language model slightly:
    an info, not more.

    **Instead.** The logarithms of the frequencies as the last bias.

    **References.** Lin et al. (2017), arXiv:1708.02002, 3.3.
    """

    code, name, severity = "OUT103", "class-prior", "info"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that a bias would help."""
        target, gain = vitals.target, _gain(vitals)
        biased = any(len(parameter.shape) == 1 for parameter in vitals.of_layer(vitals.output.layer))
        if target is not None and gain > _PRIOR and biased and vitals.output.values.sd < 1:
            yield self.finding(
                vitals.output.layer,
                f"The classes have an entropy of {target.entropy:.2f} of {math.log(target.classes):.2f} "
                f"nats: the logarithms of their frequencies as the last bias begin {gain:.2f} lower.",
                observed=gain,
                expected=f"at most {_PRIOR}",
                fix=Fix("the logarithms of the frequencies as the bias of the last layer"),
            )


class LargeLogits(Rule):
    """The logits of a tied embedding are large.

    **What it checks.** The standard deviation of the outputs, above 3, where the last layer is also the table
    of an embedding.

    **Why it matters.** A table of N(0, 1), which is right for looking up, makes logits of variance n_embd.

    **Evidence.** N(0, 1) at 768 channels: a first loss of 743 (fastai#2090). GPT-2's N(0, 0.02) has 0.55.

    **Instead.** A standard deviation of 0.02, or 1 / sqrt(n_embd), for the table.
    """

    code, name, severity = "OUT104", "large-logits", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that tied logits are large."""
        output = vitals.output
        if output.tied and output.values.sd > _LOGITS:
            yield self.finding(
                output.layer,
                f"Logits have a standard deviation of {output.values.sd:.3g}, and {output.layer} is tied to "
                "an embedding.",
                observed=output.values.sd,
                expected=f"at most {_LOGITS:g}",
                fix=Fix("nn.init.normal_(table, std=0.02)", scheme="gpt2"),
            )


def baseline(vitals: Vitals) -> float | None:
    """Return the loss of a guess: ln C, or the variance of the targets; None where nobody knows."""
    target, kind = vitals.target, vitals.output.kind
    if target is None:
        return None
    if kind == "cross_entropy":
        return math.log(target.classes) if target.classes > 1 else None
    if kind == "binary_cross_entropy":
        return math.log(2)
    return target.variance if kind == "mse" and target.variance else None


def _varied(vitals: Vitals) -> float:
    """Return the variance of outputs over examples."""
    values, share = vitals.output.values, vitals.output.variation
    return values.sd**2 if share is None else (share * values.scale) ** 2


def is_direct(vitals: Vitals) -> bool:
    """Return whether outputs are what the last layer makes, or probabilities of that."""
    output = vitals.output
    last = [one.output.scale for one in vitals.layers if one.name == output.layer]
    made = bool(output.ends_in) or not last
    return made or any(math.isclose(scale, output.values.scale, rel_tol=1e-3) for scale in last)


def _is_multiplied(vitals: Vitals) -> bool:
    """Return whether outputs are larger than what the last layer makes, as cosines times a factor are."""
    output = vitals.output
    last = [one.output.scale for one in vitals.layers if one.name == output.layer]
    return not is_direct(vitals) and output.values.scale > max(last, default=math.inf)


def _gain(vitals: Vitals) -> float:
    """Return by how much a bias would lower the first loss; 0 where that is chance, or there is one."""
    target, loss = vitals.target, _mean(vitals)
    if target is None or target.classes < 2 or vitals.examples < 8 * target.classes:
        return 0.0
    gain, free = math.log(target.classes) - target.entropy, target.classes - 1
    by_chance = 2 * vitals.examples * gain < free + 3 * math.sqrt(2 * free)
    known = loss is not None and loss < math.log(target.classes) - gain / 2
    return 0.0 if by_chance or known else gain


def _mean(vitals: Vitals) -> float | None:
    """Return the mean of what a loss compares; the loss itself where nothing else is known."""
    return vitals.output.loss if vitals.output.mean is None else vitals.output.mean


def _chance(vitals: Vitals) -> float:
    """Return how far the first loss may be from its expectation, as labels have it by chance."""
    output, target = vitals.output, vitals.target
    classes = target.classes if target is not None and output.kind == "cross_entropy" else 1
    labels = max(math.prod(output.shape) / max(classes, 1), 1.0)
    return min(2 * _logits(vitals).sd / math.sqrt(labels), _BY_CHANCE)


def _logits(vitals: Vitals) -> Spread:
    """Return how logits are distributed: what the last layer makes, where outputs are probabilities."""
    last = [one for one in vitals.weighted if one.name == vitals.output.layer][-1:]
    made = last[0].output if last and vitals.output.ends_in in _PROBABILITIES else None
    return vitals.output.values if made is None else made


def _head(vitals: Vitals) -> Fix:
    if not is_direct(vitals):
        return Fix("a smaller factor, or a larger temperature, of what the loss takes")
    return Fix(
        f'a smaller last layer: fanin.initialize(model, "auto"), or zeros for {vitals.output.layer}',
        scheme="auto",
    )


RULES = (HighInitialLoss, UnfitActivation, ClassPrior, LargeLogits)
