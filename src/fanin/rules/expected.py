"""SET: parameters that are not as the layers that have them let one expect."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Parameter, Vitals

_LARGE = 50.0
_OPEN = 0.5
_CLOSED = -3.5
_RETAINED = 0.01
_SCALES = ("weight", "gamma", "scale")


class UnusualScale(Rule):
    """Weights are of another scale than their fans let one expect.

    **What it checks.** The standard deviation of a kernel against 1 / sqrt(fan_in): more than 50 times as
    large or as small. Embeddings, and weights that are all equal, have no such scale.

    **Why it matters.** It may be meant (a scaled head, SIREN's layers, mu-parametrization): an info. The one
    that is found is the one farthest off.

    **Evidence.** Weights within a factor of 2 say nothing; SIREN's hidden weights are 30 times below He.

    **Instead.** `fanin.plan(model, "auto")` shows what would be usual, and why.
    """

    code, name, severity = "SET104", "unusual-scale", "info"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the weight whose scale is the most unusual one."""
        found = [one for one in vitals.parameters if _off(one) > _LARGE]
        if not found:
            return
        worst = max(found, key=_off)
        assert worst.reference is not None
        more = f" ({len(found)} parameters are so far off)" if len(found) > 1 else ""
        yield self.finding(
            worst.name,
            f"{worst.name} has a standard deviation of {worst.values.sd:.2g}; 1 / sqrt(fan_in) is "
            f"{worst.reference:.2g}{more}.",
            observed=worst.values.sd / worst.reference,
            expected=f"within {_LARGE:g} times",
            fix=Fix('fanin.initialize(model, "auto", inputs=...)', scheme="auto"),
            parameters=[one.name for one in found],
        )


class HalfOpenForgetGate(Rule):
    r"""An LSTM forgets its first inputs before it has read its last ones.

    **What it checks.** The bias b that forget gates begin with (PyTorch adds two), and the length T of the
    sequences: of what the state holds, sigmoid(b)^T is left at the end. Found where b is below 1/2 and less
    than 1 % is left, as it is from 7 steps on with b = 0.

    **Why it matters.** The gradient with respect to early inputs shrinks by the same factor. Biases learn,
    therefore an info; a warning where they begin below -3.5, as the gate is saturated then (below 0.03, see
    SAT101), and hardly does.

    **Evidence.** "We found that adding a bias of 1 to the LSTM's forget gate closes the gap between the LSTM
    and the GRU" (Jozefowicz et al.). PyTorch begins with 0 on average, Keras and Flax' scheme here with 1.

    **Instead.** Biases of 1: `fanin.initialize(model, "auto")` sets them; or of log(T): "chrono".

    **References.** Gers et al. (2000), Neural Computation 12(10); Jozefowicz et al. (2015), ICML, section 5;
    Tallec and Ollivier (2018), arXiv:1804.11188.
    """

    code, name, severity = "SET106", "half-open-forget-gate", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the first LSTM that forgets."""
        for one in vitals.trained:
            if one.forget is None or one.forget >= _OPEN:
                continue
            steps = _steps(vitals, one.layer)
            left = (1 / (1 + math.exp(-one.forget))) ** steps
            if left < _RETAINED:
                yield self.finding(
                    one.name,
                    f"Forget gates of {one.layer} begin with a bias of {one.forget:.2g}: after {steps} steps "
                    f"{left:.1g} of a state is left.",
                    severity="warning" if one.forget < _CLOSED else "info",
                    observed=one.forget,
                    expected="1, or log(steps)",
                    fix=Fix('fanin.initialize(model, "auto") begins them with 1'),
                    steps=steps,
                )
                return


class DrawnNormScale(Rule):
    """Scales of norms are drawn around 0, as if they were kernels.

    **What it checks.** Scales of batch norms that differ, and whose mean is 0 within 3 standard errors.

    **Why it matters.** A channel is multiplied by its scale: half of them change their sign, many are almost
    gone, and all are as small as the draw. The next norm divides by it again, with an epsilon that counts
    then. It comes from a loop that draws all parameters, or from DCGAN's N(1, 0.02) without its 1.

    **Evidence.** Scales begin with 1, or with 0 at the end of a branch; trained ones are mostly positive, and
    so are those that RepVGG draws from N(0.1, 0.1) in timm.

    **Instead.** `nn.init.ones_(norm.weight)`; draw only the weights of layers that multiply.

    **References.** Ioffe and Szegedy (2015), arXiv:1502.03167; Radford et al. (2016), arXiv:1511.06434.
    """

    code, name, severity = "SET109", "drawn-norm-scale", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the first batch norm whose scales are drawn around 0."""
        norms = {one.name: one for one in vitals.layers if one.kind == "norm" and "Batch" in one.type}
        scales = (one for one in vitals.trained if one.layer in norms and _end(one) in _SCALES)
        found = [one for one in scales if one.values.sd and _is_around_nothing(one)]
        if found:
            values, more = found[0].values, len(found) - 1
            yield self.finding(
                found[0].name,
                f"{found[0].name} has the mean {values.mean:.2g} and the standard deviation {values.sd:.2g}"
                + (f", and so have {more} more scales of norms." if more else "."),
                observed=values.mean,
                expected="1, or 0",
                fix=Fix(f"nn.init.ones_({found[0].name})"),
                parameters=[one.name for one in found],
            )


class LostTie(Rule):
    """Two parameters should be one.

    **What it checks.** An embedding and another weight that hold the same random values and are two
    parameters; and models whose configuration ties the embeddings of inputs and outputs (Hugging Face:
    `tie_word_embeddings`), and whose two weights are not the same tensor.

    **Why it matters.** The copies part at the first step: the model has more parameters than it is said to
    have, and the head trains from an embedding's scale.

    **Evidence.** Ties are lost where a parameter is assigned anew, by `to_empty`, by a wrapper that shards
    parameter by parameter, by `copy.deepcopy` of one of the two layers.

    **Instead.** `model.tie_weights()`, or `head.weight = embedding.weight`, after the parameters are made.

    **References.** Press and Wolf (2017), arXiv:1608.05859.
    """

    code, name, severity = "SET107", "lost-tie", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the pairs."""
        for one, other in dict.fromkeys((*vitals.untied, *_copies(vitals))):
            yield self.finding(
                one,
                f"{one} and {other} are two parameters, which should be one.",
                expected="one parameter",
                fix=Fix("tie them: model.tie_weights(), or head.weight = embedding.weight"),
                tensors=[one, other],
            )


def _is_around_nothing(one: Parameter) -> bool:
    """Return whether the mean of a parameter's values is 0 within 3 standard errors."""
    return abs(one.values.mean) <= 3 * one.values.sd / math.sqrt(one.size)


def _end(one: Parameter) -> str:
    """Return the last part of a parameter's path."""
    return one.name.replace("/", ".").rpartition(".")[2]


def _off(one: Parameter) -> float:
    """Return how many times a weight is larger or smaller than expected; 0 where nobody knows."""
    if not one.reference or not one.values.sd or not one.values.finite:
        return 0.0
    ratio = one.values.sd / one.reference
    return max(ratio, 1 / ratio)


def _steps(vitals: Vitals, path: str) -> int:
    """Return how many steps a recurrent layer makes: its calls, its places, or those of sequences read."""
    calls = [one for one in vitals.layers if one.name.partition("#")[0] == path]
    places = [one.places // max(vitals.examples, 1) for one in calls]
    read = [one.shape[1] for one in vitals.inputs if len(one.shape) == (2 if one.tokens else 3)]
    return max(1, len(calls), *places, *read)


def _copies(vitals: Vitals) -> Iterator[tuple[str, str]]:
    """Yield weights that equal an embedding, the weight first."""
    tables = {one.digest: one for one in vitals.parameters if one.kind == "embedding" and one.digest}
    for one in vitals.parameters:
        table = tables.get(one.digest)
        if table is not None and one.kind != "embedding" and one.shape == table.shape:
            yield one.name, table.name


RULES = (UnusualScale, HalfOpenForgetGate, LostTie, DrawnNormScale)
