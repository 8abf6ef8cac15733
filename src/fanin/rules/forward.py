"""FWD: what signals do on their way through the layers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from fanin.rules.depth import A_LAYER, GRAVE, Slope, longest, slope, slopes
from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Layer, Vitals

NOTHING = 1e-6
"""A scale below which a signal is gone, whatever it was."""
_LEFT = 1e-3
_FIX = Fix('fanin.initialize(model, "auto", inputs=...) keeps second moments along depth', scheme="auto")


def _scale(layer: Layer) -> float:
    return layer.output.scale


def _varied(layer: Layer) -> float:
    """Return the standard deviation over examples."""
    return layer.output.scale * (layer.variation or 0.0)


class VanishingForward(Rule):
    """Signals shrink from layer to layer.

    **What it checks.** sqrt(E[x^2]) of the outputs of layers with weights, in chains that no norm interrupts.
    A straight line through its logarithms says by which factor it changes a layer. It is too much below 0.8 a
    layer over at least 6 layers and 30 in all (1,000 over 3 to 5); an error where it is 10,000 in all, or
    less than 1e-6 is left. The last layer, which may be small on purpose, counts as one of the 6, and its
    scale does not count.

    **Why it matters.** What is left at the end does not depend on the input any more: biases and rounding
    decide, and gradients of weights, which are products with these signals, vanish too.

    **Evidence.** A total ratio alone fails: healthy models reach 28, faults 3,000; AlexNet has 50. PyTorch's
    default for `nn.Linear` with ReLU is 0.41 a layer: harmless for 3 layers, a true fault for 10
    (pytorch/pytorch#15314). Ten ReLU layers with Glorot's weights shrink by .7 a layer, 22 times in all. On
    digits they need 4 times as many steps as with He's (SGD; 1.7 times with Adam, each with its best step),
    and twelve SELU layers with PyTorch's default weights 3.4 times. They are slow and learn, as six ReLU
    layers with that default do, which need 8 times as many: none of these is found. Sixteen with Glorot's
    weights do not begin to learn in 400 steps of SGD, and are. Layers behind a norm begin anew, and branches
    that begin with 0 on purpose have no scale to follow.

    **Instead.** Weights of variance gain^2 / fan_in: `fanin.initialize(model, "he_normal")` for ReLU, or
    `"auto"` for any activation; or norms between the layers.

    **References.** He et al. (2015), arXiv:1502.01852; Hanin and Rolnick (2018), arXiv:1803.01719.
    """

    code, name, severity = "FWD101", "vanishing-forward-signal", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the chains whose signals vanish."""
        for found in longest(one for one in slopes(vitals, _scale, head=False) if one.vanishes):
            grave = found.total < 1 / GRAVE or found.layers[-1].output.scale < NOTHING
            yield _sloped(self, found, "shrink", "error" if grave else "warning")


class ExplodingForward(Rule):
    """Signals grow from layer to layer.

    **What it checks.** As FWD101, the other way: more than 1.25 a layer over at least 6 layers and 30 in all
    (1,000 over 3 to 5); an error from 10,000 on.

    **Why it matters.** Outputs and the first loss are huge, activations that are bounded saturate, gradients
    of the first layers explode.

    **Evidence.** As for FWD101.

    **Instead.** Weights of variance gain^2 / fan_in: `fanin.initialize(model, "auto")`.

    **References.** Glorot and Bengio (2010), PMLR 9; He et al. (2015), arXiv:1502.01852.
    """

    code, name, severity = "FWD102", "exploding-forward-signal", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the chains whose signals explode."""
        for found in longest(one for one in slopes(vitals, _scale, head=False) if one.explodes):
            yield _sloped(self, found, "grow", "error" if found.total > GRAVE else "warning")


class CollapsedSignal(Rule):
    """All examples look the same to the last layers.

    **What it checks.** How much the features before the last layer differ between examples: by less than
    1e-3 of their scale, or by an angle of less than 1e-3 (that of the mean cosine); and that it comes from
    depth: signals shrink by more than 1.25 a layer, or what differs between examples does, in a chain as for
    FWD101 (biases keep the scale up where it is gone), or parameters have no gradient at all.

    **Why it matters.** Where all examples have the same features nothing can tell them apart, and gradients
    with respect to the weights add up to what the mean of the targets says.

    **Evidence.** PyTorch's default for `nn.Linear` leaves 1e-2 after 8 layers with ReLU, which train, and
    3e-4 after 12, which do not; half precision knows 1e-3. CaiT and other models with LayerScale begin with
    constant outputs and are healthy: that is why the collapse alone is not reported. Outputs say little:
    heads of detectors and policies are nearly constant on purpose.

    **Instead.** Weights at the edge of chaos, `fanin.initialize(model, "auto")`; skips or norms.

    **References.** Schoenholz et al. (2017), arXiv:1611.01232.
    """

    code, name, severity = "FWD103", "collapsed-signal", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that examples are alike at the end."""
        weighted = vitals.weighted
        if len(weighted) < 3 or vitals.examples < 2:
            return
        last = weighted[-2]
        left = min(last.variation if last.variation is not None else 1.0, _angle(last))
        if left >= _LEFT or not _confirmed(vitals):
            return
        yield self.finding(
            last,
            f"The features of two examples have a cosine of {last.similarity or 0:.4f}, and vary by "
            f"{last.variation or 0:.2g} of their scale.",
            observed=left,
            expected=f"above {_LEFT:g}",
            fix=_FIX,
            similarity=last.similarity,
            variation=last.variation,
        )


def _angle(layer: Layer) -> float:
    """Return the angle of the mean cosine between two examples; one number has none."""
    if math.prod(layer.shape[1:]) < 2:
        return math.inf
    return math.acos(min(max(layer.similarity or 0.0, -1.0), 1.0))


def _confirmed(vitals: Vitals) -> bool:
    live = [layer for layer in vitals.weighted if layer.output.scale > 0]
    if any(parameter.stuck for parameter in vitals.trained):
        return True
    if len(live) > 3 and slope(live, _scale).factor < 1 / A_LAYER:
        return True
    return any(found.vanishes for found in slopes(vitals, _varied, head=False))


def _sloped(rule: Rule, found: Slope, verb: str, severity: Literal["error", "warning"]) -> Finding:
    first, last = found.layers[0], found.layers[-1]
    return rule.finding(
        first,
        f"Signals {verb} by {found.factor:.2g} a layer: from {first.output.scale:.2g} at {first.name} to "
        f"{last.output.scale:.2g} at {last.name}, {len(found.layers)} layers on.",
        severity=severity,
        observed=found.factor,
        expected=f"{1 / A_LAYER:.1f} to {A_LAYER} a layer",
        fix=_FIX,
        total=found.total,
        layers=[layer.name for layer in found.layers],
    )


RULES = (VanishingForward, ExplodingForward, CollapsedSignal)
