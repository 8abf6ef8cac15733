"""What a model is given, as far as signals need it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InputLaw:
    """The distribution of one input.

    Args:
        mean: Mean of the elements.
        second_moment: E[x^2].
        position: E[x x'] between two positions of an example, over E[x^2].
        example: E[x x'] between two examples at one position, over E[x^2].
        tokens: Whether it is whole numbers that look up rows of a table.
        repeats: Of tokens, the probability that two of them are equal; None for 1 / rows of the table.

    Example:
        >>> InputLaw().second_moment
        1.0
    """

    mean: float = 0.0
    second_moment: float = 1.0
    position: float = 0.0
    example: float = 0.0
    tokens: bool = False
    repeats: float | None = None
