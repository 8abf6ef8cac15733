"""All parameters of a model, and what of its state is not a parameter of its own."""

from __future__ import annotations

from dataclasses import dataclass

from fanin.graph.parameter import Parameter


@dataclass(frozen=True)
class Kept:
    """A part of a model's state that no scheme may touch.

    Args:
        name: Its path in the model.
        shape: Its shape.
        reason: Why it stays as it is.
    """

    name: str
    shape: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Inventory:
    """What a model's state is made of.

    Args:
        parameters: Every parameter once, in the model's own order.
        kept: Tied names, buffers and whatever else must stay.
        source: What it was read from, such as "MLP (torch)".
    """

    parameters: tuple[Parameter, ...]
    kept: tuple[Kept, ...] = ()
    source: str = ""
