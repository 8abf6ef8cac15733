"""NUM: numbers that are none, and numbers that a type cannot hold."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Parameter, Vitals

_STALE = 1e6
_NOTHING = 1e-30
_TYPES = {"float16": (65504.0, 6e-8), "bfloat16": (3.4e38, 1e-38), "float8_e4m3fn": (448.0, 2e-3)}
"""Largest and smallest number above 0 of a type."""


class NonFinite(Rule):
    """A number is not finite.

    **What it checks.** Weights, outputs, gradients, inputs, targets and the loss for infinities and NaN. The
    first place is reported. In PyTorch also operations of float16 that make an infinity of finite numbers,
    which later ones may hide: 1 / inf is 0.

    **Why it matters.** One of them reaches every weight in one step.

    **Instead.** Look at the first place: its weights, its inputs, a division by zero, a logarithm of zero.
    """

    code, name, severity = "NUM101", "non-finite", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the first number that is not finite."""
        where, what = _first_broken(vitals)
        if not where and vitals.overflow is not None:
            yield self._overflow(*vitals.overflow)
        elif where:
            told = "The first loss is" if what == "The loss" else f"{what} of {where} are"
            ends = _end_of_range(vitals, where)
            yield self.finding(
                where,
                f"{told} not finite{ends}.",
                expected="finite numbers",
                fix=Fix(
                    "bfloat16, or weights of a smaller variance"
                    if ends
                    else "look at the first place: its weights, its inputs, divisions and logarithms"
                ),
            )

    def _overflow(self, where: str, operation: str) -> Finding:
        return self.finding(
            where,
            f"{operation} in {where} makes infinities of finite numbers: float16 ends at "
            f"{_TYPES['float16'][0]:.6g}.",
            expected="numbers that the type can hold",
            fix=Fix("this operation in float32, or bfloat16"),
        )


class StaleMemory(Rule):
    """A parameter holds what was in memory before.

    **What it checks.** |w| above 1e6 in any parameter, a parameter that is not finite, or one whose numbers
    are all below 1e-30 and not all 0. Statistics of data, which are measured and not trained, may be large:
    the variance of an income is.

    **Why it matters.** `torch.empty`, `torch.Tensor(n)` and `FloatTensor(n)` give memory as it is: often
    zeros, sometimes 1e38, or integers and addresses, which are 1e-45 to 1e-38 as floating numbers. Such a
    model works on one machine and not on the next.

    **Evidence.** Values of 1e28 to 1e38 (huggingface/torchMoji#11).

    **Instead.** Initialize it: `nn.init.normal_(w, std=0.05)`, or `fanin.initialize(model, "auto")`.
    """

    code, name, severity = "NUM102", "stale-memory", "error"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the parameters that nothing initialized."""
        for parameter in vitals.parameters:
            largest = parameter.values.largest
            usual = largest == 0 or _NOTHING <= largest <= _STALE or _is_measured(parameter)
            if not usual or not parameter.values.finite:
                yield self.finding(
                    parameter.name,
                    f"{parameter.name} holds numbers up to {largest:.2g}, as memory that nothing has "
                    "initialized.",
                    observed=largest,
                    expected=f"at most {_STALE:g}",
                    fix=Fix(
                        f"nn.init.normal_({parameter.name}, std=0.05)",
                        scheme="random_normal",
                        layers=(parameter.name,),
                    ),
                )


def _is_measured(parameter: Parameter) -> bool:
    """Return whether values are statistics, as those of Keras' `Normalization`, which are variables too."""
    return not parameter.trained and not parameter.kind


class OutOfRange(Rule):
    """Numbers are near what their type can hold.

    **What it checks.** Outputs above a tenth of the largest number of float16 or float8, and gradients whose
    scale is below ten times the smallest, in the type that a layer computes in (that of mixed precision too).

    **Why it matters.** The first step that is a little larger overflows; small gradients become 0.

    **Instead.** bfloat16, scaling of the loss, weights of variance gain^2 / fan_in.

    **References.** Micikevicius et al. (2018), arXiv:1710.03740; (2022), arXiv:2209.05433.
    """

    code, name, severity = "NUM103", "out-of-range", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the layers at the ends of the range."""
        for layer in vitals.layers:
            largest, smallest = _TYPES.get(layer.dtype, (math.inf, 0.0))
            gradient = layer.gradient.scale if layer.gradient is not None else math.inf
            if layer.output.largest > largest / 10:
                number, what = layer.output.largest, "outputs up to"
            elif 0 < gradient < 10 * smallest:
                number, what = gradient, "gradients of"
            else:
                continue
            yield self.finding(
                layer,
                f"{layer.name} has {what} {number:.2g} in {layer.dtype}.",
                observed=number,
                expected=f"{10 * smallest:.1g} to {largest / 10:.2g}",
                fix=Fix("bfloat16, or a scaled loss"),
            )
            return


def _end_of_range(vitals: Vitals, where: str) -> str:
    """Return where the range of a layer's type ends, if that is narrow."""
    types = [layer.dtype for layer in vitals.layers if layer.name == where and layer.dtype in _TYPES]
    return f": {types[0]} ends at {_TYPES[types[0]][0]:.6g}" if types and types[0] != "bfloat16" else ""


def _first_broken(vitals: Vitals) -> tuple[str, str]:
    """Return where the first number is not finite, and what it is; "" where all are."""
    broken = [f"input {one.name}" for one in vitals.inputs if not one.values.finite]
    if vitals.target is not None and not math.isfinite(vitals.target.mean):
        broken.append("targets")
    if broken:
        return broken[0], "Values"
    for parameter in vitals.parameters:
        if not parameter.values.finite:
            return parameter.name, "Values"
    for layer in vitals.layers:
        if not layer.output.finite:
            return layer.name, "Outputs"
    if vitals.output.loss is not None and not math.isfinite(vitals.output.loss):
        return "loss", "The loss"
    for layer in reversed(vitals.layers):
        if layer.gradient is not None and not layer.gradient.finite:
            return layer.name, "Gradients"
    return "", ""


RULES = (NonFinite, StaleMemory, OutOfRange)
