"""SAT: units at the flat ends of their function, units that are dead, attention that looks at one key."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Layer, Vitals

_SATURATED = 0.25, 0.5
_CUT = 0.317
_DEAD = 0.5, 0.9
_PLACES = 256
_ERRORS = 3.0
_FOCUSED = 0.3
_NOTHING = 0.5
_ALIKE = 0.999
_FIX = Fix('fanin.initialize(model, "auto", inputs=...), or weights of a smaller scale', scheme="auto")


class SaturatedUnits(Rule):
    """Bounded activations stand at their ends, where their slope is nearly 0.

    **What it checks.** The share of a layer's values where |tanh| > 0.97, or a sigmoid is outside of
    0.03 to 0.97: above 25 % is a warning, above 50 % an error. What makes the model's output is exempt, but
    for a tanh above 50 %, which is a warning: a sigmoid may begin near the share of a class. Of
    gates (PyTorch's `LSTM` and `GRU`, each layer) biases do not count, which may hold one open on purpose.
    Of a hard tanh it is the share beyond the 32 % that it cuts off standard normal inputs, as behind a norm.

    **Why it matters.** Gradients are multiplied by the slope: below 0.06 for tanh, 0.03 for a sigmoid.

    **Evidence.** Healthy models have 18 % at most, faults 69 to 100 %.

    **Instead.** Weights of variance 1 / fan_in, zero biases, standardized inputs.

    **References.** Glorot and Bengio (2010), PMLR 9.
    """

    code, name, severity = "SAT101", "saturated-units", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the first saturated layer, with all others."""
        inner = [layer for layer in _inner(vitals) if _too_many(layer) > _SATURATED[0]]
        found = inner or [layer for layer in _ends(vitals) if _too_many(layer) > _SATURATED[1]]
        if not found:
            return
        first = found[0]
        worst = max(map(_too_many, inner), default=0.0)
        also = f", and {len(found) - 1} more activations" if len(found) > 1 else ""
        yield self.finding(
            first,
            f"{first.saturated:.0%} of the values of {first.name} ({first.function}) are saturated{also}.",
            severity="error" if worst > _SATURATED[1] else "warning",
            observed=first.saturated,
            expected=f"at most {_SATURATED[0]:.0%}",
            fix=_FIX,
            layers={layer.name: layer.saturated for layer in found},
        )


class DeadUnits(Rule):
    """Units with a ReLU are 0 for every example.

    **What it checks.** The share of a layer's units that are 0 at all examples and positions: from 90 % an
    error, where there are at least 32 of these places; above half a warning, from 256 places on. The less
    examples differ before the ReLU, the more units are 0 for all of them by chance, half of them in the end:
    that is a collapse of the signal (FWD103), and no fault of these units. Of v, the standard deviation over
    examples relative to sqrt(E[x^2]), n examples reach sqrt(2 ln n) v above a unit's mean, and means are
    around 0: the share by chance is p = Phi(-v sqrt(2 ln n) / sqrt(1 - v^2)), with 3 standard errors of that
    of a layer's units, sqrt(p (1 - p) / units). Above a cosine of 0.999 only 90 % count.

    **Why it matters.** A unit that is always 0 has no gradient: it never learns.

    **Evidence.** Half of all values are 0 in a healthy ReLU network, which says nothing; at eight positions
    54 % of the units of a squeeze-and-excitation are 0 by chance. Behind a bottleneck of 8 units, with
    PyTorch's default weights and pixels from 0 to 1, v is .08, and 19 to 59 % of 32 units are 0, from seed to
    seed; p is 39 %. With Adam 25 % are left after 250 steps.

    **Instead.** Zero biases, weights of mean 0, standardized inputs; a leaky activation.

    **References.** Lu et al. (2019), arXiv:1903.06733.
    """

    code, name, severity = "SAT102", "dead-units", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the first layer with dead units."""
        found = [layer for layer in _inner(vitals) if _is_dead(vitals, layer)]
        if not found:
            return
        first = found[0]
        worst = max(layer.dead or 0 for layer in found)
        also = f", and {len(found) - 1} more activations" if len(found) > 1 else ""
        yield self.finding(
            first,
            f"{first.dead:.0%} of the {first.units} units of {first.name} are 0 at all {first.places} "
            f"places{also}.",
            severity="error" if worst >= _DEAD[1] else "warning",
            observed=first.dead,
            expected=f"at most {_DEAD[0]:.0%}",
            fix=_FIX,
            layers={layer.name: layer.dead for layer in found},
        )


class DeadOutput(Rule):
    """The output is 0 for every example, behind a ReLU.

    **What it checks.** Whether the model ends in a ReLU whose values are all 0.

    **Why it matters.** No gradient passes: nothing in the model ever learns. A single output unit with a ReLU
    is born dead with a probability of about one half.

    **Evidence.** facebookresearch/dlrm#358: all outputs and all gradients were 0.

    **Instead.** No activation, or softplus, at the output; a bias of 0.
    """

    code, name, severity = "SAT103", "dead-output", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that the output is dead."""
        output = vitals.output
        if output.ends_in != "relu" or output.values.largest > 0:
            return
        chance = vitals.born_dead
        of_seeds = f" So are {chance:.0%} of {vitals.seeds} networks of other seeds." if chance else ""
        yield self.finding(
            output.layer,
            f"The output is 0 for all {vitals.examples} examples, behind a ReLU, which passes no gradient."
            f"{of_seeds}",
            observed=0.0,
            expected="values above 0",
            fix=Fix("leave the ReLU at the output out, or use softplus; begin with a bias of 0"),
        )


class NothingLeft(Rule):
    """Dropout drops all there is.

    **What it checks.** The rate p of dropout, and how many values n an example has there: p^n, the chance
    that nothing is left of an example, above 1/2. With p = 1 it is 1. Whole examples may be dropped by
    chance, as stochastic depth does in a branch beside a skip.

    **Why it matters.** In training, zeros are all that is passed on, and no gradient passes back: the layers
    before do not learn. It looks well in evaluation, when dropout rests.

    **Evidence.** TensorFlow 1 asked for the chance to keep a value, where others ask for that to drop it:
    `keep_prob=1.0` became `p=1.0`. Of 64 values p = .5 leaves nothing once in 10^19 examples, p = .9 once in
    850, and p = .99 in every second one.

    **Instead.** The chance to drop a value: .1 to .5.

    **References.** Srivastava et al. (2014), JMLR 15, 1929-1958.
    """

    code, name, severity = "SAT106", "nothing-left", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the first dropout that leaves nothing."""
        found = [
            one for one in vitals.dropped if one.nothing > _NOTHING and (one.values > 1 or one.rate >= 1)
        ]
        if found:
            first, more = found[0], len(found) - 1
            also = f", and so does that of {more} more layers" if more else ""
            yield self.finding(
                first.name,
                f"Dropout of {first.rate:g} at {first.name} leaves nothing of {first.nothing:.0%} of the "
                f"examples in training{also}.",
                observed=first.nothing,
                expected=f"at most {_NOTHING:.0%}",
                fix=Fix("the chance to drop a value, not that to keep it: .1 to .5"),
                layers=[one.name for one in found],
            )


class FocusedAttention(Rule):
    """Queries look at one key each.

    **What it checks.** The mean entropy of the weights of an attention over the logarithm of the number of
    keys that a query sees: below 0.3 is a warning. Keys that a mask hides do not count; those whose weights
    are 0 as their logits are far below the largest one do. A mask is told by its logits: below all others by
    more than these spread.

    **Why it matters.** A softmax whose largest weight is near 1 passes little gradient to its logits: which
    key a query looks at is decided by the first weights.

    **Evidence.** einygpt#3: .09 with queries and keys drawn at 1 / sqrt(head_dim), .89 when mended; faults
    have .1 at most. DaViT's attention between channels, whose logits are sums over 3,136 positions, has .26.

    **Instead.** Variance 1 / n_embd for the matrices of queries and keys, or a norm for both.

    **References.** Zhai et al. (2023), arXiv:2303.06296.
    """

    code, name, severity = "SAT104", "focused-attention", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the first attention of low entropy."""
        found = [layer for layer in vitals.layers if layer.entropy is not None and layer.entropy < _FOCUSED]
        if not found:
            return
        first = found[0]
        also = f", and {len(found) - 1} more" if len(found) > 1 else ""
        yield self.finding(
            first,
            f"The entropy of the attention of {first.name} is {first.entropy:.2f} of that of equal weights"
            f"{also}.",
            observed=first.entropy,
            expected=f"above {_FOCUSED}",
            fix=Fix('fanin.initialize(model, "auto", inputs=...) for its queries and keys', scheme="auto"),
            layers={layer.name: layer.entropy for layer in found},
        )


def _too_many(layer: Layer) -> float:
    """Return the share of saturated values, beyond what the function has of standard normal inputs."""
    usual = _CUT if layer.function == "hardtanh" else 0.0
    return ((layer.saturated or 0.0) - usual) / (1 - usual)


def _is_dead(vitals: Vitals, layer: Layer) -> bool:
    share = layer.dead or 0.0
    if share < _DEAD[1] and _reads_one_example(vitals, layer):
        return False
    limit = max(_DEAD[0], _by_chance(vitals, layer))
    return share >= _DEAD[1] or (share > limit and layer.places >= _PLACES)


def _by_chance(vitals: Vitals, layer: Layer) -> float:
    """Return the share of units that may be 0 for all examples as these differ by little."""
    before = [one for one in vitals.layers[: vitals.layers.index(layer)] if one.kind == "weights"]
    varied = before[-1].variation if before else None
    if varied is None or varied >= 1:
        return 0.0
    reached = varied * math.sqrt(2 * math.log(max(vitals.examples, 2)) / (1 - varied**2))
    share = math.erfc(reached / math.sqrt(2)) / 2
    return share + _ERRORS * math.sqrt(share * (1 - share) / max(layer.units, 1))


def _reads_one_example(vitals: Vitals, layer: Layer) -> bool:
    """Return whether all examples look the same to the product with weights that an activation follows."""
    before = [one for one in vitals.layers[: vitals.layers.index(layer)] if one.kind == "weights"]
    return bool(before) and (before[-1].similarity or 0.0) > _ALIKE


def _inner(vitals: Vitals) -> Iterator[Layer]:
    """Yield activations but for the one that makes the output."""
    activations = [layer for layer in vitals.layers if layer.kind in ("activation", "recurrent")]
    last = _last(vitals)
    yield from (layer for layer in activations if layer is not last)


def _ends(vitals: Vitals) -> Iterator[Layer]:
    """Yield the tanh that makes the output."""
    last = _last(vitals)
    if last is not None and last.function == "tanh":
        yield last


def _last(vitals: Vitals) -> Layer | None:
    """Return the activation that makes the output."""
    activations = [layer for layer in vitals.layers if layer.kind in ("activation", "recurrent")]
    return next((one for one in activations[-1:] if one.function == vitals.output.ends_in), None)


RULES = (SaturatedUnits, DeadUnits, DeadOutput, FocusedAttention, NothingLeft)
