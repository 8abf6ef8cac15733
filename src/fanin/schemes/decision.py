"""What a scheme decides for one parameter, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import Distribution


@dataclass(frozen=True)
class Decision:
    """A distribution with its reason; no distribution leaves the parameter as it is.

    Args:
        distribution: What the parameter is drawn from.
        reason: Why, in a few words.
    """

    distribution: Distribution | None
    reason: str


Rule = Callable[[Parameter], Distribution | Decision | None]
"""From a parameter to what it is drawn from, with or without a reason; None says nothing about it."""

keep = Decision(None, "asked to keep")
"""Leaves a parameter as it is."""
