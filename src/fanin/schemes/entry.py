"""One scheme of the catalogue, as it is written down there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Rule
from fanin.schemes.distributions import Distribution

KernelRule = Callable[[Parameter], Distribution]
"""From a kernel to its distribution."""


@dataclass(frozen=True)
class Entry:
    """One scheme of the catalogue.

    Args:
        make: From its arguments to the rule for kernels.
        summary: What it is for.
        formula: Its formula.
        source: Where it comes from.
        assumptions: What it takes for granted.
        defaults: Its arguments with their defaults, which are Keras'.
        others: From the same arguments to the rules for other roles and kinds than kernels.
        needs: Roles without which it is not what it says.
    """

    make: Callable[..., KernelRule]
    summary: str
    formula: str
    source: str
    assumptions: str = ""
    defaults: Mapping[str, float] = field(default_factory=dict)
    others: Callable[..., Mapping[str, Rule]] = lambda *arguments: {}
    needs: tuple[str, ...] = ()
