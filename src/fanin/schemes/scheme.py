"""A scheme: from a parameter to the distribution of its first values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import Distribution

Rule = Callable[[Parameter], Distribution]


@dataclass(frozen=True)
class Scheme:
    """A way to initialize weights, with its formula and where it comes from.

    Args:
        name: Its name in the catalogue.
        rule: From a kernel to its distribution.
        summary: What it is for, in one line.
        formula: Its formula, as text.
        source: Paper and equation.
        assumptions: What the formula takes for granted.
        arguments: The arguments that differ from the defaults.
        bias: From a bias to its distribution; None leaves biases as the layer has them.

    Example:
        >>> from fanin.schemes.distributions import Normal
        >>> Scheme("tiny", lambda parameter: Normal(0.0, 1e-3)).label
        'tiny'
    """

    name: str
    rule: Rule = field(repr=False)
    summary: str = ""
    formula: str = ""
    source: str = ""
    assumptions: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()
    bias: Rule | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """The name with the arguments that differ from the defaults: "normal(stddev=0.02)"."""
        inside = ", ".join(f"{key}={value!r}" for key, value in self.arguments)
        return f"{self.name}({inside})" if inside else self.name

    def distribution(self, parameter: Parameter) -> Distribution:
        """Return what a kernel is drawn from."""
        return self.rule(parameter)

    def bias_distribution(self, parameter: Parameter) -> Distribution | None:
        """Return what a bias is drawn from; None leaves it as its layer has it."""
        return self.bias(parameter) if self.bias else None
