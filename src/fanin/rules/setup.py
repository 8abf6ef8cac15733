"""SET: parameters that nothing initialized, that no gradient reaches, or that never begin to learn."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Parameter, Vitals

_NUMBER = re.compile(r"\d+")
_SURE = 1000
_BOUNDED = 1.65, 2.4
_FILLED = Fix('fanin.initialize(model, "auto", inputs=...)')
_MADE_FROM_A_KEY = Fix("real arrays, or start=, a function of a random key that makes them")


class Unmade(Rule):
    """Parameters have no values.

    **What it checks.** Parameters on the meta device, lazy ones that no batch has made, and arrays of JAX
    that are only described (`jax.eval_shape`, `nnx.eval_shape`).

    **Why it matters.** What `to_empty` makes of them is whatever was in memory.

    **Instead.** `fanin.initialize(model, "auto", inputs=...)`, which fills models on meta; for JAX real
    arrays, or `start=`, a function of a random key that makes them.
    """

    code, name, severity = "SET101", "unmade-parameters", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that parameters have no values."""
        found = [parameter for parameter in vitals.parameters if parameter.meta]
        if found:
            yield self.finding(
                found[0].name,
                f"{_counted(found)} no values: {_names(found)}.",
                observed=float(len(found)),
                expected="values",
                fix=_MADE_FROM_A_KEY if vitals.framework == "jax" else _FILLED,
                parameters=[one.name for one in found],
            )


class Unreached(Rule):
    """No gradient reaches trained parameters.

    **What it checks.** Parameters that ask for a gradient and get none: they have no part in the loss.

    Experts beside others that have a gradient are an info: no example of this batch has chosen them. So are
    vectors; what no block uses, beside weights of the same layer that are used in each (an option, as XLNet's
    embeddings of segments are); and a layer of the last block that the others use, where the rest of it is
    used: it makes what a next block would read, as WaveNet's last one does.

    **Why it matters.** They stay as they are: a layer that is not called, a branch that is cut off, a
    `detach`, or a head that this loss does not use.

    **Instead.** Use them, or leave them out; `requires_grad_(False)` says that it is meant.
    """

    code, name, severity = "SET102", "unreached-parameters", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that parameters are not reached."""
        unreached = [one for one in vitals.trained if one.gradient is None and not one.meta]
        found = [one for one in unreached if not _unchosen(vitals, one)] or unreached
        if found and len(found) < len(vitals.trained):
            yield self.finding(
                found[0].name,
                f"{_counted(found)} no part in the loss: {_names(found)}.",
                observed=float(len(found)),
                expected="a gradient, or requires_grad_(False)",
                fix=Fix("use them, leave them out, or freeze them"),
                severity="warning" if any(_matters(vitals, one) for one in found) else "info",
                parameters=[one.name for one in found],
            )


class StuckZeros(Rule):
    """Parameters have no gradient at step 0, and none after some steps.

    **What it checks.** Whether the whole gradient of a weight is exactly 0 at step 0 and after each of three
    tiny steps of an optimizer, on a copy.

    **Why it matters.** Zeros on purpose unlock: behind a head of zeros 99 % of a ViT's parameters have no
    gradient at step 0, and all of them have one after a step. Two factors of zeros (LoRA's A and B), a gate
    that is ReLU(0), or units that are dead never do.

    **Evidence.** Of the parameters with a gradient of exactly 0, a zero-head ViT has .999, then 0; LoRA with
    A = B = 0 has 1 for ever (cosmos-predict2.5#15, relora#18).

    **Instead.** Random values for one of the two factors.

    **References.** Hu et al. (2021), arXiv:2106.09685, 4.1.
    """

    code, name, severity = "SET103", "stuck-zeros", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that parameters are stuck, as some of them are zeros."""
        zeros = [one for one in _stuck(vitals) if one.values.largest == 0]
        weights = [one for one in zeros if len(one.shape) > 1]
        if weights:
            fix = Fix("random values for one of two factors of zeros; no ReLU behind zeros")
            yield _told(self, vitals, weights, fix)


class StuckParameters(Rule):
    """Parameters that are no zeros have no gradient, and do not get one.

    **What it checks.** As SET103, of parameters that are not zeros themselves.

    Experts that no example of this batch has chosen are left out.

    **Why it matters.** Something between them and the loss passes nothing: units that are dead, a saturated
    function, a product with 0.

    **Evidence.** As for SET103.

    **Instead.** Look at the layers behind the first of them.
    """

    code, name, severity = "SET105", "stuck-parameters", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that parameters are stuck, and none of them is zeros."""
        found = list(_stuck(vitals))
        if any(one.values.largest == 0 and len(one.shape) > 1 for one in found):
            return
        weights = [one for one in found if len(one.shape) > 1]
        if weights:
            yield _told(self, vitals, weights, Fix("look at the layers behind the first of them"))


class Unregistered(Rule):
    """Weights are used that are no parameters of the model.

    **What it checks.** In PyTorch, what takes part, asks for a gradient, and is not in `model.parameters()`:
    an `nn.Parameter` in a product, and tensors that modules keep as attributes, in lists, tuples or mappings.
    Those that are made of the model's parameters are its own, as weights of a parametrization are; those with
    respect to which the model or the loss takes a derivative are inputs, as coordinates of a differential
    equation are.

    **Why it matters.** No optimizer that is made of `model.parameters()` trains them, `state_dict` leaves
    them out, and `to` does not move them. So it is with layers in a plain list, tuple or dict, with
    `torch.randn(..., requires_grad=True)`, and with a parameter that something was done to, such as
    `nn.Parameter(w) * 1` or `nn.Parameter(w).cuda()`: the result is a tensor.

    **Instead.** `nn.ModuleList`, `nn.ModuleDict`, `nn.ParameterList`; `nn.Parameter`, assigned as it is;
    `requires_grad_(False)` for a network that is kept aside on purpose.
    """

    code, name, severity = "SET108", "unregistered-parameters", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that weights are none of the model's."""
        names = list(vitals.unregistered)
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            told = (
                "takes part, and is no parameter" if len(names) == 1 else "take part, and are no parameters"
            )
            yield self.finding(
                names[0],
                f"{', '.join(names[:3])}{more} {told} of the model: nothing trains "
                f"{'it' if len(names) == 1 else 'them'}.",
                observed=float(len(names)),
                expected="parameters of the model",
                fix=Fix("nn.ModuleList or nn.ModuleDict for layers, nn.Parameter for tensors"),
                parameters=names,
            )


class NothingTrained(Rule):
    """All parameters are frozen.

    **What it checks.** Whether a model has parameters, and none of them is trained.

    **Why it matters.** No step changes anything. A loop over `parameters()` that was to freeze a base has
    frozen the head too, or `model.trainable = False` came after the head was added.

    **Instead.** `requires_grad_(True)`, or `trainable = True`, for what is to learn.
    """

    code, name, severity = "SET110", "nothing-trained", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that nothing is trained."""
        frozen = list(vitals.parameters)
        if frozen and not vitals.trained:
            learn = "trainable = True" if vitals.framework == "keras" else "requires_grad_(True)"
            yield self.finding(
                frozen[-1].layer,
                f"None of the {len(frozen)} parameters is trained: {_names(frozen)} are frozen.",
                observed=0.0,
                expected="parameters that are trained",
                fix=Fix(f"{learn} for what is to learn, the last layer above all"),
                parameters=[one.name for one in frozen],
            )


class FrozenAtRandom(Rule):
    """Frozen weights are those that an initializer has drawn.

    **What it checks.** Frozen weights of 1,000 numbers and more around 0 of which the largest is 1.65 to 2.4
    standard deviations: uniform numbers have 1.73, normal ones that are cut off at two have 2.27. Of normal
    numbers, as trained weights have, the largest of a thousand is beyond 2.4 but once in ten million. Others
    may be random too, which nothing tells.

    **Why it matters.** A base that was to come with its weights, and came without: `weights=None`, a file
    that was not loaded. What is behind it learns from random features. It may be on purpose, as in reservoirs
    or in a test, which is why it is an info.

    **Instead.** Load the weights, or train them.
    """

    code, name, severity = "SET111", "frozen-at-random", "info"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield that frozen weights are random."""
        found = [one for one in vitals.parameters if not one.trained and _is_drawn(one)]
        if found and vitals.trained:
            yield self.finding(
                found[0].name,
                f"{_counted(found)} numbers as an initializer draws them, and frozen: {_names(found)}.",
                observed=float(len(found)),
                expected="weights that were trained before",
                fix=Fix("load the weights that were meant, or train them"),
                parameters=[one.name for one in found],
            )


def _is_drawn(one: Parameter) -> bool:
    """Return whether values are those of a uniform distribution, or of a normal one that is cut off."""
    values = one.values
    if len(one.shape) < 2 or one.size < _SURE or one.kind == "embedding" or not values.sd:
        return False
    return _BOUNDED[0] < values.largest / values.sd < _BOUNDED[1] and abs(values.mean) < values.sd / 10


def _stuck(vitals: Vitals) -> Iterator[Parameter]:
    yield from (one for one in vitals.trained if one.stuck and not _unchosen(vitals, one))


def _matters(vitals: Vitals, one: Parameter) -> bool:
    """Return whether a parameter is a weight that should have a part in the loss of every batch."""
    is_vector = len(one.shape) < 2 or (sum(size > 1 for size in one.shape) < 2 and one.kind != "kernel")
    spared = is_vector or _unchosen(vitals, one)
    return not (spared or _is_option(vitals, one) or _is_for_a_next_block(vitals, one))


def _is_option(vitals: Vitals, one: Parameter) -> bool:
    """Return whether no block uses a weight, and each uses others of the same layer."""
    blocks = _counterparts(vitals, one)
    used = {other.layer for other in vitals.trained if other.gradient is not None}
    return len(blocks) > 1 and all(other.gradient is None and other.layer in used for other in blocks)


def _is_for_a_next_block(vitals: Vitals, one: Parameter) -> bool:
    """Return whether only the last of several blocks does not use a weight, and uses others of its own."""
    blocks, number = _counterparts(vitals, one), list(_NUMBER.finditer(one.name))
    if len(blocks) < 2 or blocks[-1] is not one or any(other.gradient is None for other in blocks[:-1]):
        return False
    block = one.name[: number[0].end() + 1]
    return any(other.name.startswith(block) and other.gradient is not None for other in vitals.trained)


def _counterparts(vitals: Vitals, one: Parameter) -> list[Parameter]:
    """Return the weights of all blocks whose paths differ by numbers, in their order."""
    alike = _NUMBER.sub("#", one.name)
    return [other for other in vitals.trained if _NUMBER.sub("#", other.name) == alike]


def _unchosen(vitals: Vitals, one: Parameter) -> bool:
    """Return whether a parameter is an expert's, and nothing of this batch went to that one."""
    calls = [layer for layer in vitals.layers if layer.name.partition("#")[0] == one.layer]
    if calls:
        return not any(layer.places for layer in calls)
    alike = _NUMBER.sub("#", one.name)
    others = (other for other in vitals.trained if other.gradient)
    return "expert" in one.name.lower() and any(_NUMBER.sub("#", other.name) == alike for other in others)


def _told(rule: Rule, vitals: Vitals, weights: list[Parameter], fix: Fix) -> Finding:
    """Return the finding that weights are stuck, and the share of all values that are."""
    found = list(_stuck(vitals))
    share = sum(one.size for one in found) / max(sum(one.size for one in vitals.trained), 1)
    return rule.finding(
        weights[0].name,
        f"{_counted(weights)} a gradient of exactly 0 at step 0 and after {len(weights[0].zero) - 1} steps: "
        f"{_names(weights)}. So have {share:.0%} of all values.",
        observed=share,
        expected="a gradient after one step",
        fix=fix,
        parameters=[one.name for one in found],
    )


def _counted(found: list[Parameter]) -> str:
    return "1 parameter has" if len(found) == 1 else f"{len(found)} parameters have"


def _names(found: list[Parameter]) -> str:
    names = [one.name for one in found]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


RULES = (Unmade, Unreached, StuckZeros, StuckParameters, Unregistered, NothingTrained, FrozenAtRandom)
