"""BWD: what gradients do on their way back through the steps of a recurrence."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Layer, Vitals

_EPSILON = 2.0**-23
_KEPT = 0.1
_FEW = 1 + math.floor(math.log(_EPSILON) / math.log(_KEPT))
"""Steps that are felt where each leaves a tenth of a gradient."""
_HALF = 0.5


class ForgetfulRecurrence(Rule):
    """Early steps of a sequence have no part in the first steps of training.

    **What it checks.** sqrt(E[g^2]) of the gradient with respect to each step that a recurrent layer reads,
    in PyTorch: how many steps have more than 2^-23 of the largest, float32's epsilon. The others are lost
    where gradients of all steps are added up. Less than half of the steps is an info; a warning where there
    are 7 at most, as where each step back leaves a tenth of a gradient. Where the loss reads all states no
    step is lost.

    **Why it matters.** What only early steps tell is not learned before the recurrence has changed. With 7
    steps there is next to no recurrence: a convolution would do.

    **Evidence.** By default `nn.RNN` has 18 to 28 such steps, `nn.LSTM` and `nn.GRU` 27 to 36, for any width
    from 16 to 256 and inputs of scale 1; `nn.RNN` has 12 where inputs are of scale 3. That is what people
    use, for sequences that are shorter, or whose end tells enough: an info. Recurrent weights of N(0, 0.01)
    have 6 to 8.

    **Instead.** Orthogonal recurrent weights (`nn.init.orthogonal_`); forget gates with a bias of 1, or of
    log(steps); a loss at all steps.

    **References.** Bengio et al. (1994), IEEE Transactions on Neural Networks 5(2); Le et al. (2015),
    arXiv:1504.00941; Tallec and Ollivier (2018), arXiv:1804.11188.
    """

    code, name, severity = "BWD105", "forgetful-recurrence", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the recurrent layer that forgets the most."""
        found = [layer for layer in vitals.layers if _share(layer) < _HALF]
        if not found:
            return
        worst = min(found, key=lambda layer: layer.felt.steps if layer.felt else math.inf)
        assert worst.felt is not None
        yield self.finding(
            worst,
            f"Of {worst.felt.of} steps that {worst.name} reads, {worst.felt.steps} have a gradient above "
            f"{_EPSILON:.1g} of the largest: the others have no part in the first steps of training.",
            severity="warning" if worst.felt.steps <= _FEW else "info",
            observed=float(worst.felt.steps),
            expected=f"at least half of {worst.felt.of}",
            fix=Fix(
                "orthogonal recurrent weights, forget gates with a bias of log(steps), a loss at all steps"
            ),
            steps=worst.felt.of,
        )


def _share(layer: Layer) -> float:
    """Return the share of the steps that are felt; 1 where nothing is known."""
    return 1.0 if layer.felt is None else layer.felt.steps / layer.felt.of


RULES = (ForgetfulRecurrence,)
