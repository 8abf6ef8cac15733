"""What a scheme decides for one parameter, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import Distribution


@dataclass(frozen=True)
class Decision:
    """A distribution with its reason; no distribution leaves the parameter as it is.

    Args:
        distribution: What the parameter is drawn from.
        reason: Why, in a few words.
        lr_multiplier: What the learning rate of the parameter is multiplied by, where the scheme asks for it.
    """

    distribution: Distribution | None
    reason: str
    lr_multiplier: float = 1.0


Rule = Callable[[Parameter], Distribution | Decision | None]
"""From a parameter to what it is drawn from, with or without a reason; None says nothing about it."""

Rules = Mapping[str, Rule]
"""From roles and kinds to rules."""

keep = Decision(None, "asked to keep")
"""Leaves a parameter as it is."""
