"""WID: what changes with the width."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Vitals, Width

_POWER = 0.25


class WidthDependentScale(Rule):
    """The scale of a layer's outputs depends on the width.

    **What it checks.** sqrt(E[x^2]) of each layer's outputs at several widths, of a function that makes the
    model of a width: the power of the width that it goes with, by a straight line through the logarithms.
    Above 0.25 either way is a warning; the last layer may shrink, as in mu-parametrization.

    **Why it matters.** What holds at one width, a learning rate above all, does not at another: a weight of a
    fixed standard deviation, say 0.02, makes sums that grow as sqrt(n).

    **Evidence.** Variance 1 / fan_in has a power of 0, a fixed standard deviation one of 1/2 a layer.

    **Instead.** Weights of variance gain^2 / fan_in: `fanin.initialize(model, "auto")`.

    **References.** Yang and Hu (2021), arXiv:2011.14522.
    """

    code, name, severity = "WID101", "width-dependent-scale", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the layer whose scale depends on the width the most."""
        found = _powers(vitals, lambda width: width.scales)
        last = vitals.output.layer
        wrong = {name: p for name, p in found.items() if p > _POWER or (p < -_POWER and name != last)}
        if wrong:
            name = max(wrong, key=lambda one: abs(wrong[one]))
            yield self.finding(
                name,
                f"The scale of {name} goes with the width to the power {wrong[name]:+.2f}; so do "
                f"{len(wrong) - 1} other layers."
                if len(wrong) > 1
                else f"The scale of {name} goes with the width to the power {wrong[name]:+.2f}.",
                observed=wrong[name],
                expected=f"a power from -{_POWER} to {_POWER}",
                fix=Fix('fanin.initialize(model, "auto", inputs=...)', scheme="auto"),
                powers=wrong,
            )


class WidthDependentStep(Rule):
    """One step of Adam changes wide models more than narrow ones.

    **What it checks.** The coordinate check of mu-parametrization: by how much one step, which moves each
    weight by as much, changes each layer's outputs, at several widths. A power of the width above 0.25 is an
    info.

    **Why it matters.** A learning rate that is found for a narrow model is too large for a wide one.

    **Evidence.** With the usual parametrization the power is 1: sums of n changes of one sign.

    **Instead.** Learning rates of 1 / fan_in for hidden weights: `fanin.optimizer_groups` and the scheme
    `mup`.

    **References.** Yang et al. (2022), arXiv:2203.03466, fig. 5.
    """

    code, name, severity = "WID102", "width-dependent-step", "info"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the layer that a step moves with the width the most."""
        found = {name: p for name, p in _powers(vitals, lambda width: width.moved).items() if p > _POWER}
        if found:
            name = max(found, key=lambda one: found[one])
            yield self.finding(
                name,
                f"A step of Adam moves the outputs of {name} by the width to the power {found[name]:.2f}.",
                observed=found[name],
                expected=f"a power of at most {_POWER}",
                fix=Fix("learning rates of 1 / fan_in for hidden weights: fanin.optimizer_groups"),
                powers=found,
            )


def _powers(vitals: Vitals, of: Callable[[Width], dict[str, float]]) -> dict[str, float]:
    """Return the power of the width that a number of each layer goes with."""
    if len(vitals.widths) < 2:
        return {}
    widths = np.log([one.width for one in vitals.widths])
    names = [name for name in of(vitals.widths[0]) if all(of(one).get(name, 0) > 0 for one in vitals.widths)]
    return {
        name: float(np.polyfit(widths, np.log([of(one)[name] for one in vitals.widths]), 1)[0])
        for name in names
    }


RULES = (WidthDependentScale, WidthDependentStep)
