"""SET: weights of several matrices in one tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fanin.rules.finding import Finding, Fix
from fanin.rules.rule import Rule
from fanin.rules.vitals import Parameter, Vitals

_SMALL = 1 / 3
_ERRORS = 3.0


class FansOfStack(Rule):
    """A stack of matrices was drawn with the fans of a convolution.

    **What it checks.** Weights of three axes (a, b, c) that are multiplied as a matrices, in PyTorch: whether
    their standard deviation is, within 3 standard errors, what `nn.init` gives with fans of b * c and a * c,
    and less than a third of 1 / sqrt(fan_in), with the fan of the product they were seen in. A round number,
    such as N(0, 0.02) or U(-0.05, 0.05), is taken for one that was meant.

    **Why it matters.** `nn.init.xavier_uniform_` and its like take the first axes of any tensor for outputs
    and inputs, and others for a kernel's places. Experts of a mixture are then too small by sqrt(c), say 16,
    in each of their layers: next to nothing comes out of them.

    **Evidence.** The scale of a million values is known to a thousandth: hardly another one is so near by
    chance. 8 experts of 96 and 48 units would have 0.0200 with these fans, which is why round ones are out.

    **Instead.** Draw them matrix by matrix, `for one in weight: nn.init.xavier_uniform_(one)`, or
    `fanin.initialize(model, "auto", inputs=...)`.

    **References.** Glorot and Bengio (2010), PMLR 9; `torch.nn.init._calculate_fan_in_and_fan_out`.
    """

    code, name, severity = "SET112", "fans-of-a-stack", "warning"

    def look(self, vitals: Vitals) -> Iterator[Finding]:
        """Yield the first stack with the fans of a convolution."""
        found = [one for one in vitals.trained if _is_misread(one)]
        if found:
            first, more = found[0], len(found) - 1
            assert first.fan_in is not None
            also = f"; {more} more parameters were drawn so" if more else ""
            yield self.finding(
                first.name,
                f"{first.name} has a standard deviation of {first.values.sd:.2g}, as nn.init gives it with "
                f"fans of {_fans(first)[0]} and {_fans(first)[1]}. Each of its matrices has a fan in of "
                f"{first.fan_in}, for which 1 / sqrt(fan_in) is {first.fan_in**-0.5:.2g}{also}.",
                observed=first.values.sd * first.fan_in**0.5,
                expected="1, of sd * sqrt(fan_in)",
                fix=Fix(f"for one in {first.name}: nn.init.xavier_uniform_(one)"),
                parameters=[one.name for one in found],
            )


def _fans(one: Parameter) -> tuple[int, int]:
    """Return the fans that PyTorch reads from a tensor of three axes."""
    first, second, places = one.shape
    return second * places, first * places


def _is_misread(one: Parameter) -> bool:
    if one.fan_in is None or len(one.shape) != 3 or one.values.sd > _SMALL * one.fan_in**-0.5:
        return False
    fan_in, fan_out = _fans(one)
    variances = (2 / (fan_in + fan_out), 2 / fan_in, 1 / fan_in, 1 / (3 * fan_in), 2 / fan_out)
    error = _ERRORS / math.sqrt(2 * one.size)
    if any(_is_round(number, error) for number in (one.values.sd, one.values.sd * 3**0.5)):
        return False
    return any(abs(one.values.sd / variance**0.5 - 1) < error for variance in variances)


def _is_round(number: float, error: float) -> bool:
    """Return whether a number has one significant digit, within a relative error."""
    return not number or abs(number / float(f"{number:.0e}") - 1) < error


RULES = (FansOfStack,)
