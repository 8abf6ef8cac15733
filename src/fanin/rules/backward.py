"""BWD: what gradients do on their way back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from fanin.rules.depth import A_LAYER, GRAVE, LAYERS, Slope, chains, is_loop, longest, slope, slopes
from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Layer, Vitals

_GONE = 1e-6
_UNEVEN = 1e-3
_STEEP = 3.0
_FEWEST = 3
_TINY = 1e-4
_HUGE = 1e6
_FIX = Fix('fanin.initialize(model, "auto", inputs=...), another activation, skips or norms', scheme="auto")


def _norm(layer: Layer) -> float:
    """Return the norm of the gradient: of all positions, as larger images have more and smaller ones."""
    return 0.0 if layer.gradient is None else layer.gradient.scale * math.sqrt(math.prod(layer.shape))


class VanishingGradient(Rule):
    """Gradients shrink on their way back.

    **What it checks.** The norm of the gradient with respect to the outputs of layers with weights, in chains
    that no norm interrupts: too small below 0.8 a layer over at least 6 layers and 30 in all (1,000 over 3
    to 5); an error where less than 1e-6 is left. Over 6 layers and more the gradients of their weights have
    to shrink too, by 1,000 in all; where there are no norms that is enough for fewer layers, if 3 or more
    before the last shrink to a third at each.

    **Why it matters.** The first layers do not learn, or learn long after the last ones.

    **Evidence.** A sigmoid's slope is 0.25 at most, so that gradients of deep sigmoid networks vanish
    whatever their weights. A weight's gradient is the product of what comes back and what the layer reads:
    where signals shrink on their way forward as well, or skips go around the layers, it stays. AlexNet's
    4e-4 and VGG's 3e-3 over their whole depth are healthy, and their weights' gradients are within 20 of each
    other, those of LSTMs of 6 layers within 500. NeRF's, with PyTorch's default weights, shrink by .41 a
    layer, its weights' by 400 to 1,700 in all, from seed to seed: with some it is found. Sigmoids with He's
    weights shrink to a third at each layer, both: 8 layers by 1,000 to 7,000. Faults have 1e-5 to 1e-7.

    **Instead.** An activation whose slope is near 1 at 0, weights at the edge of chaos
    (`fanin.initialize(model, "auto")`), skips, or norms.

    **References.** Hochreiter (1991); Glorot and Bengio (2010), PMLR 9; Pennington et al. (2017),
    arXiv:1711.04735.
    """

    code, name, severity = "BWD101", "vanishing-gradient", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the chains whose gradients vanish."""
        grown = (one for one in slopes(vitals, _norm, head=True) if one.explodes)  # along the way forward
        for found in longest((*(one for one in grown if _uneven(vitals, one)), *_steep(vitals))):
            yield _sloped(self, found, "shrink", "error" if found.total > 1 / _GONE else "warning")


class ExplodingGradient(Rule):
    """Gradients grow on their way back.

    **What it checks.** As BWD101, the other way: more than 1.25 a layer over at least 6 layers and 30 in all
    (1,000 over 3 to 5); an error from 10,000 on.

    **Why it matters.** One step of the optimizer changes the first layers beyond what the last ones know.

    **Evidence.** Absolute limits do not hold: ConvMixer, whose norms make it indifferent to scale, has
    gradients of norm 3,000 and is healthy. Chains behind norms are therefore followed one by one.

    **Instead.** Weights of a smaller variance: `fanin.initialize(model, "auto")`.

    **References.** Pascanu et al. (2013), arXiv:1211.5063; Philipp et al. (2017), arXiv:1712.05577.
    """

    code, name, severity = "BWD102", "exploding-gradient", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the chains whose gradients explode."""
        for found in longest(one for one in slopes(vitals, _norm, head=True) if one.vanishes):
            yield _sloped(self, found, "grow", "error" if found.total < 1 / GRAVE else "warning")


class TinyGradient(Rule):
    """No weight has a gradient to speak of.

    **What it checks.** The largest norm of a weight's gradient, where the loss is a mean of order 1: below
    1e-4 is an error.

    **Why it matters.** No learning rate that is usual moves such a model.

    **Evidence.** None of 46 healthy models has it; designed zeros do not matter, as the largest gradient
    counts.

    **Instead.** Look for what kills the signal: saturation, dead units, the scale of the last layer.
    """

    code, name, severity = "BWD103", "tiny-gradient", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that all gradients are tiny."""
        loss = vitals.output.loss
        if loss is None or not 0.01 < abs(loss) < 1e3:
            return
        norms = {p.name: (p.gradient or 0.0) * math.sqrt(p.size) for p in vitals.trained if len(p.shape) > 1}
        if not norms or max(norms.values()) >= _TINY:
            return
        name = max(norms, key=lambda one: norms[one])
        yield self.finding(
            name,
            f"The largest gradient of a weight, that of {name}, has a norm of {norms[name]:.2g}; the loss is "
            f"{loss:.3g}.",
            observed=norms[name],
            expected=f"above {_TINY:g}",
            fix=_FIX,
        )


class HugeGradient(Rule):
    """A weight has a gradient that no step can follow.

    **What it checks.** The largest norm of a weight's gradient, where the loss is of order 1: above 1e6 is
    an error. An info where a BatchNorm has two values of each channel: all that it makes of them is the sign
    of their difference, and gradients are large where that is small.

    **Why it matters.** Something divides by almost nothing: the norm of a vector of zeros, a standard
    deviation of what is constant, a square root or a logarithm at 0. The first step lands anywhere.

    **Evidence.** ConvMixer, whose norms make it indifferent to scale, has 3e3 and is healthy.

    **Instead.** A larger epsilon, random values in the place of zeros; look at what the weight is divided by.
    """

    code, name, severity = "BWD104", "huge-gradient", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that a gradient is huge."""
        loss = vitals.output.loss
        if loss is None or not abs(loss) < 1e3:
            return
        norms = {p.name: (p.gradient or 0.0) * math.sqrt(p.size) for p in vitals.trained}
        name = max(norms, key=lambda one: norms[one], default="")
        if name and _HUGE < norms[name] < math.inf:
            pair = next((layer.name for layer in vitals.layers if _norms_two(vitals, layer)), "")
            beside = f" {pair} norms two values of each channel: take a larger batch." if pair else ""
            yield self.finding(
                name,
                f"The gradient of {name} has a norm of {norms[name]:.2g}; the loss is {loss:.3g}.{beside}",
                severity="info" if pair else "error",
                observed=norms[name],
                expected=f"at most {_HUGE:g}",
                fix=Fix("a larger epsilon where something is divided by its norm or its standard deviation"),
            )


def _norms_two(vitals: Vitals, layer: Layer) -> bool:
    """Return whether a layer takes statistics of two values of a channel."""
    return layer.kind == "norm" and "batch" in layer.type.lower() and layer.places <= 2 <= vitals.examples


def _uneven(vitals: Vitals, found: Slope) -> bool:
    """Return whether gradients of weights shrink too; few layers shrink by so much that this is sure."""
    norms = {layer.name: _of_weights(vitals, layer) for layer in found.layers}
    known = [layer for layer in found.layers if norms[layer.name] > 0]
    if len(found.layers) < LAYERS or len(known) < 2:
        return True
    return slope(known, lambda layer: norms[layer.name]).total > 1 / _UNEVEN


def _steep(vitals: Vitals) -> Iterator[Slope]:
    """Yield chains in which gradients of weights shrink by a lot at each layer, the last one aside."""
    if any(layer.kind == "norm" for layer in vitals.layers):
        return
    for chain in chains(vitals):
        known = [layer for layer in chain if _of_weights(vitals, layer) > 0 and _norm(layer) > 0]
        if len(known) <= _FEWEST or is_loop(vitals, chain):
            continue
        weights, hidden = (slope(some, partial(_of_weights, vitals)) for some in (known, known[:-1]))
        signals = slope(known, _norm)
        if weights.total > 1 / _UNEVEN and hidden.factor > _STEEP and signals.factor > A_LAYER:
            yield signals


def _of_weights(vitals: Vitals, layer: Layer) -> float:
    """Return the norm of the gradient of a layer's largest weight; 0 where there is none."""
    own = vitals.of_layer(layer.name.partition("#")[0])
    return max(((p.gradient or 0.0) * math.sqrt(p.size) for p in own if len(p.shape) > 1), default=0.0)


def _sloped(rule: Rule, found: Slope, verb: str, severity: str) -> Finding:
    first, last = found.layers[0], found.layers[-1]
    return rule.finding(
        first,
        f"Gradients {verb} by {1 / found.factor:.2g} a layer on their way back: their norm is "
        f"{_norm(last):.2g} at {last.name}, and {_norm(first):.2g} at {first.name}, "
        f"{len(found.layers)} layers before.",
        severity="error" if severity == "error" else "warning",
        observed=1 / found.factor,
        expected=f"{1 / A_LAYER:.1f} to {A_LAYER} a layer",
        fix=_FIX,
        total=1 / found.total,
        layers=[layer.name for layer in found.layers],
    )


RULES = (VanishingGradient, ExplodingGradient, TinyGradient, HugeGradient)
