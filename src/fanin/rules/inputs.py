"""INP: the inputs and the targets."""

from __future__ import annotations

from collections.abc import Iterator

from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Input, Layer, Vitals

_LARGE = 20.0
_RAW = 5.0
_RATIO = 100.0
_SMALL = 0.05
_FAR = 10.0, 100.0
_STANDARDIZE = Fix("standardize the inputs: (x - mean) / sd of each feature", inputs=True)


class UnscaledInput(Rule):
    """Inputs are too large for the first weights.

    **What it checks.** sqrt(E[x^2]) of what the first layer with weights makes of the inputs, above 20, where
    that comes from the inputs, and no norm follows. Where a norm takes the scale back it is an info.

    **Why it matters.** Everything behind is as many times too large: bounded activations saturate, logits and
    the first loss are huge, and the steps of the first layer's weights are those of the largest features.

    **Evidence.** Healthy first layers have 1.4 at most; raw pixels of 0 to 255 make 44 to 113.

    **Instead.** Standardize the inputs, or divide pixels by 255.

    **References.** LeCun et al. (1998), Efficient BackProp, 4.3.
    """

    code, name, severity = "INP101", "unscaled-input", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that the inputs are too large."""
        first, given = _first(vitals), _largest(vitals)
        if first is None or given is None or given.values.scale < _RAW or first.output.scale <= _LARGE:
            return
        if first.output.scale < given.values.scale / 100:
            return
        absorbed = _norm_follows(vitals, first)
        by = " A norm behind it takes the scale back." if absorbed else ""
        yield self.finding(
            f"input {given.name}",
            f"{_named(given)} is of scale {given.values.scale:.3g}, and {first.name} makes "
            f"{first.output.scale:.3g} of it.{by}",
            severity="info" if absorbed else "error",
            observed=first.output.scale,
            expected=f"at most {_LARGE:g} behind the first layer",
            fix=_STANDARDIZE,
            mean=given.values.mean,
            sd=given.values.sd,
        )


class UnevenFeatures(Rule):
    """Some features are far larger than others.

    **What it checks.** The largest standard deviation of a feature over the smallest that is not 0, in inputs
    of (examples, features): above 100.

    **Why it matters.** The first layer sees the large features only, and its gradients differ as much.

    **Evidence.** Tables such as auto-mpg hold weights of thousands beside numbers below 10.

    **Instead.** Standardize each feature.

    **References.** LeCun et al. (1998), Efficient BackProp, 4.3.
    """

    code, name, severity = "INP102", "uneven-features", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the inputs with uneven features."""
        for given in _data(vitals):
            if given.features is None or given.features[1] <= _RATIO * given.features[0]:
                continue
            first = _first(vitals)
            absorbed = first is None or _norm_follows(vitals, first)
            yield self.finding(
                f"input {given.name}",
                f"Features of {_named(given, lower=True)} have standard deviations from "
                f"{given.features[0]:.2g} to {given.features[1]:.2g}.",
                severity="info" if absorbed else "warning",
                observed=given.features[1] / given.features[0],
                expected=f"a ratio of at most {_RATIO:g}",
                fix=_STANDARDIZE,
            )


class SmallInput(Rule):
    """Inputs are too small, as if they were normalized twice.

    **What it checks.** The standard deviation of an input, below 0.05, where no norm follows the first layer.

    **Why it matters.** Signals begin as small as that: the first layer's biases, once they learn, outweigh
    its inputs.

    **Evidence.** Pixels that were divided by 255 twice have 0.001; ImageNet's, once, 0.28.

    **Instead.** Standardize once.
    """

    code, name, severity = "INP103", "small-input", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the inputs that are too small."""
        for given in _data(vitals):
            first = _first(vitals)
            if not 0 < given.values.sd < _SMALL or (first is not None and _norm_follows(vitals, first)):
                continue
            yield self.finding(
                f"input {given.name}",
                f"{_named(given)} has a standard deviation of {given.values.sd:.2g}.",
                observed=given.values.sd,
                expected=f"above {_SMALL}",
                fix=_STANDARDIZE,
            )


class ConstantFeatures(Rule):
    """Features are the same in all examples.

    **What it checks.** The share of the features that no example changes, in inputs of (examples, features),
    above one half.

    **Why it matters.** They are a bias, and nothing more. It may be the batch: pixels at the border of digits
    are 0 in most.

    **Instead.** Leave them out, or look at a larger batch.
    """

    code, name, severity = "INP104", "constant-features", "info"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the inputs with constant features."""
        for given in _data(vitals):
            if given.constant > 0.5 and vitals.examples > 1:
                yield self.finding(
                    f"input {given.name}",
                    f"{given.constant:.0%} of the features of {_named(given, lower=True)} are the same in "
                    f"all {vitals.examples} examples.",
                    observed=given.constant,
                    expected="at most 50%",
                )


class UnscaledTargets(Rule):
    """Real targets are far from 0, or of another scale than the outputs.

    **What it checks.** Of a regression, E[y^2] over Var(y): above 10 is an info, above 100 a warning, and so
    is a variance above 10,000 or below 1e-4.

    **Why it matters.** Most of what is learned first is the mean of the targets, by steps that are far too
    large for all the rest.

    **Evidence.** A model that always answers the mean has a ratio of 1.

    **Instead.** Standardize the targets, or begin with their mean as the last bias.
    """

    code, name, severity = "INP105", "unscaled-targets", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that the targets are unscaled."""
        target, output = vitals.target, vitals.output
        if target is None or output.kind != "mse" or not target.variance or output.loss is None:
            return
        ratio = 1 + target.mean**2 / target.variance
        usual = 1e-4 <= target.variance <= 1e4
        if ratio <= _FAR[0] and usual:
            return
        yield self.finding(
            "targets",
            f"Targets have the mean {target.mean:.3g} and the standard deviation {target.variance**0.5:.2g}.",
            severity="warning" if ratio > _FAR[1] or not usual else "info",
            observed=target.mean,
            expected="a mean within three standard deviations, which are of order 1",
            fix=Fix("standardize the targets, or begin with their mean as the bias of the last layer"),
            loss=output.loss,
        )


def _data(vitals: Vitals) -> Iterator[Input]:
    """Yield inputs that are the user's own numbers."""
    yield from (given for given in vitals.inputs if not given.tokens and not given.described)


def _largest(vitals: Vitals) -> Input | None:
    return max(_data(vitals), key=lambda given: given.values.scale, default=None)


def _first(vitals: Vitals) -> Layer | None:
    return next((layer for layer in vitals.layers if layer.kind in ("weights", "norm")), None)


def _norm_follows(vitals: Vitals, layer: Layer) -> bool:
    """Return whether a norm stands before the next layer with weights, or is the layer."""
    if layer.kind == "norm":
        return True
    after = vitals.layers[vitals.layers.index(layer) + 1 :]
    return next((one.kind for one in after if one.kind in ("weights", "norm")), "") == "norm"


def _named(given: Input, *, lower: bool = False) -> str:
    text = "the input" if given.name in ("0", "") else f"input {given.name}"
    return text if lower else text[0].upper() + text[1:]


RULES = (UnscaledInput, UnevenFeatures, SmallInput, ConstantFeatures, UnscaledTargets)
