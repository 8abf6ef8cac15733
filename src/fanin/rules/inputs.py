"""INP: the inputs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from fanin.report.diagnosis.paths import module_of
from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Input, Layer, Parameter, Vitals

_LARGE = 20.0
_RAW = 5.0
_RATIO = 100.0
_SMALL = 0.05
_NEAR = 1e-3
_SPARSE = 0.5
_STANDARDIZE = Fix("standardize the inputs: (x - mean) / sd of each feature", inputs=True)


class UnscaledInput(Rule):
    """Inputs are too large for the first weights.

    **What it checks.** sqrt(E[x^2]) of what the first layer with weights makes of an input, above 20, where
    that comes from the input, and no norm follows; of several inputs each has the layer that reads it. Where
    a norm takes the scale back, to 20 at most, it is an info: one that is frozen with statistics of nothing
    does not; behind a bounded activation, or inside of a recurrent layer, no norm can, and one in a branch
    leaves the stream beside it as large as it was: later layers then read, or blocks return, half of it and
    more. What a recurrent layer's gates read is taken to be of the inputs' scale times that of the weights
    times sqrt(fan_in). Integers count where the first layer multiplies them, and looks up no rows.

    **Why it matters.** Everything behind is as many times too large: bounded activations saturate, logits and
    the first loss are huge, and the steps of the first layer's weights are those of the largest features.

    **Evidence.** Healthy first layers have 1.4 at most; raw pixels of 0 to 255 make 44 to 113.

    **Instead.** Standardize the inputs, or divide pixels by 255.

    **References.** LeCun et al. (1998), Efficient BackProp, 4.3.
    """

    code, name, severity = "INP101", "unscaled-input", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the input that is too large, the largest one of several."""
        found = (self._of(vitals, given) for given in sorted(_data(vitals), key=_scale, reverse=True))
        yield from itertools.islice((one for one in found if one is not None), 1)

    def _of(self, vitals: Vitals, given: Input) -> Finding | None:
        first = _reader(vitals, given)
        if first is None or given.values.scale < _RAW:
            return None
        made = _made(vitals, first, given)
        if made <= _LARGE or made < given.values.scale / 100:
            return None
        absorbed = _norm_follows(vitals, first) and not _stays(vitals, first, made)
        by = " A norm behind it takes the scale back." if absorbed else ""
        return self.finding(
            f"input {given.name}",
            f"{_named(given)} is of scale {given.values.scale:.3g}, and {first.name} makes "
            f"{made:.3g} of it.{by}",
            severity="info" if absorbed else "error",
            observed=made,
            expected=f"at most {_LARGE:g} behind the first layer",
            fix=_STANDARDIZE,
            mean=given.values.mean,
            sd=given.values.sd,
        )


class UnevenFeatures(Rule):
    """Some features are far larger than others.

    **What it checks.** The scale of the largest feature over that of the smallest, in inputs of (examples,
    features): above 100, where no norm of each feature over the examples reads them. The scale is the
    standard deviation; of a feature that has one value in more than half of the examples, as pixels, words
    and marks have, it is sqrt(E[(x - that value)^2]) over the others: how often a feature is lit is not how
    large it is. One that is lit in less than 4 examples says nothing: one in a hundred numbers is a hundred
    times smaller than the others by chance, and of thousands of features some are so in two or three.

    **Why it matters.** The first layer sees the large features only, and its gradients differ as much.

    **Evidence.** Tables such as auto-mpg hold weights of thousands beside numbers below 10. Pixels of digits,
    all from 0 to 1, have standard deviations from 0.004 to 0.4, as those at the border are rarely lit.

    **Instead.** Standardize each feature.

    **References.** LeCun et al. (1998), Efficient BackProp, 4.3.
    """

    code, name, severity = "INP102", "uneven-features", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the inputs with uneven features."""
        for given in _data(vitals):
            first = _first(vitals)
            if (
                given.features is None
                or given.features[1] <= _RATIO * given.features[0]
                or _standardizes(first)
            ):
                continue
            absorbed = first is None or _norm_follows(vitals, first)
            yield self.finding(
                f"input {given.name}",
                f"Features of {_named(given, lower=True)} have scales from "
                f"{given.features[0]:.2g} to {given.features[1]:.2g}.",
                severity="info" if absorbed else "warning",
                observed=given.features[1] / given.features[0],
                expected=f"a ratio of at most {_RATIO:g}",
                fix=_STANDARDIZE,
            )


class SmallInput(Rule):
    """Inputs are too small, as if they were normalized twice.

    **What it checks.** The standard deviation of an input, below 0.05, where no norm follows the first layer,
    or of one input the scale of what the first layer reads, as the model itself may divide it once more.
    Sparse inputs, most of which is 0, are left out where the rest is of a scale above 0.05, and so is what no
    layer with weights reads, where there are several inputs.

    **Why it matters.** Signals begin as small as that: the first layer's biases, once they learn, outweigh
    its inputs.

    **Evidence.** Pixels that were divided by 255 twice have 0.001; ImageNet's, once, 0.28. Bags of words
    (Cora's rows, which add up to 1) and adjacency matrices are small only as most of their values are 0.

    **Instead.** Standardize once.
    """

    code, name, severity = "INP103", "small-input", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the inputs that are too small."""
        for given in _data(vitals):
            first, read = _first(vitals), _as_read(vitals, given)
            small = min(given.values.sd, read)
            if not 0 < small < _SMALL or _is_sparse(given, min(given.values.scale, read)):
                continue
            if (small == given.values.sd and not _is_read(vitals, given)) or (
                first is not None and _norm_follows(vitals, first)
            ):
                continue
            made = f", and its first layer reads numbers of {read:.2g}" if small == read else ""
            yield self.finding(
                f"input {given.name}",
                f"{_named(given)} has a standard deviation of {given.values.sd:.2g}{made}.",
                observed=small,
                expected=f"above {_SMALL}",
                fix=_STANDARDIZE,
            )


class ConstantFeatures(Rule):
    """Features are the same in all examples.

    **What it checks.** The share of the features that no example changes, in inputs of (examples, features):
    above one half is an info. All examples of all inputs, whatever these are, the same: a warning.

    **Why it matters.** They are a bias, and nothing more. It may be the batch: pixels at the border of digits
    are 0 in most. Where all examples are the same nothing tells them apart: images that are all black, as a
    loader divided integers, or tokens that are all padding.

    **Instead.** Leave them out, or look at a larger batch; look at what the loader gives.
    """

    code, name, severity = "INP104", "constant-features", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the inputs with constant features."""
        if vitals.examples < 2:
            return
        if vitals.inputs and all(one.constant == 1 and not one.described for one in vitals.inputs):
            first = vitals.inputs[0]
            yield self.finding(
                f"input {first.name}",
                f"All {vitals.examples} examples are the same, with a mean of {first.values.mean:.3g}.",
                observed=1.0,
                expected="examples that differ",
                fix=Fix("look at what the loader gives"),
            )
            return
        for given in _data(vitals):
            if given.constant > 0.5:
                yield self.finding(
                    f"input {given.name}",
                    f"{given.constant:.0%} of the features of {_named(given, lower=True)} are the same in "
                    f"all {vitals.examples} examples.",
                    severity="info",
                    observed=given.constant,
                    expected="at most 50%",
                )


def _is_read(vitals: Vitals, given: Input) -> bool:
    """Return whether a layer with weights reads an input as it is; a matrix of neighbours is none's."""
    return len(vitals.inputs) == 1 or _is_multiplied(vitals, given)


def _is_sparse(given: Input, scale: float) -> bool:
    """Return whether most values are 0, and those that are not are far from it, of what is of a scale."""
    share = 1 - given.zeros
    return share < _SPARSE and scale > _SMALL * math.sqrt(share)


def _as_read(vitals: Vitals, given: Input) -> float:
    """Return the scale of what the first layer reads of the only input, infinite where that says nothing."""
    first = _first(vitals)
    alone = len(vitals.inputs) == 1 and not given.tokens
    read = first.source if first is not None and first.kind == "weights" and alone else None
    return math.inf if read is None else read


def _data(vitals: Vitals) -> Iterator[Input]:
    """Yield inputs that are the user's own numbers, and integers that are multiplied like numbers."""
    numbers = (one for one in vitals.inputs if not one.tokens or _is_multiplied(vitals, one))
    yield from (given for given in numbers if not given.described)


def _is_multiplied(vitals: Vitals, given: Input) -> bool:
    """Return whether a layer with weights reads integers themselves, and not rows of a table."""
    return next(_multiplying(vitals, given), None) is not None


def _reader(vitals: Vitals, given: Input) -> Layer | None:
    """Return the first layer that reads an input as it is; of what none does, the first one of all."""
    return next(_multiplying(vitals, given), None) or _first(vitals)


def _multiplying(vitals: Vitals, given: Input) -> Iterator[Layer]:
    """Yield the layers with weights that read an input as it is."""
    for layer in vitals.layers:
        read = layer.source if layer.kind == "weights" else None
        if read is not None and math.isclose(read, given.values.scale, rel_tol=_NEAR):
            yield layer


def _scale(given: Input) -> float:
    return given.values.scale


def _first(vitals: Vitals) -> Layer | None:
    return next((one for one in vitals.layers if one.kind in ("weights", "norm", "recurrent")), None)


def _read(vitals: Vitals, layer: Layer) -> Parameter | None:
    """Return the first kernel inside of a layer that also has a recurrent one."""
    path = module_of(layer.name)
    inside = [one for one in vitals.parameters if one.name.startswith((f"{path}.", f"{path}/"))]
    kernels = [one for one in inside if one.kind == "kernel" and one.reference]
    return kernels[0] if kernels and any(one.kind == "recurrent" for one in inside) else None


def _made(vitals: Vitals, first: Layer, given: Input) -> float:
    """Return the scale of what the first layer makes of an input, before any function."""
    kernel = _read(vitals, first)
    if first.kind in ("weights", "norm") or kernel is None or not kernel.reference:
        return first.output.scale
    return given.values.scale * kernel.values.scale / kernel.reference


def _norm_follows(vitals: Vitals, layer: Layer) -> bool:
    """Return whether a norm stands before the next layer with weights and bounded function, or is it.

    One whose statistics are not those of what it reads, as it is frozen, leaves the scale as it was.
    """
    if layer.kind not in ("weights", "norm"):
        return False
    after = vitals.layers[vitals.layers.index(layer) + (layer.kind == "weights") :]
    found = next((one for one in after if one.kind in ("weights", "norm") or _bounds(one)), None)
    return found is not None and found.kind == "norm" and found.output.scale <= _LARGE


def _stays(vitals: Vitals, first: Layer, made: float) -> bool:
    """Return whether a later block returns, or a layer reads, as much as the first one has made."""
    later = vitals.layers[vitals.layers.index(first) + 1 :]
    reads = (one.source or 0.0 for one in later if one.kind == "weights")
    blocks = (one.output.scale for one in later if one.kind == "other")
    return max((*reads, *blocks), default=0.0) > made / 2


def _bounds(layer: Layer) -> bool:
    return layer.function in ("tanh", "sigmoid", "hardtanh", "hardsigmoid", "relu6")


def _standardizes(layer: Layer | None) -> bool:
    """Return whether a layer is a norm of each feature over the examples."""
    return (
        layer is not None
        and layer.kind == "norm"
        and ("Batch" in layer.type or layer.type == "Normalization")
    )


def _named(given: Input, *, lower: bool = False) -> str:
    text = "the input" if given.name in ("0", "") else f"input {given.name}"
    return text if lower else text[0].upper() + text[1:]


RULES = (UnscaledInput, UnevenFeatures, SmallInput, ConstantFeatures)
