"""Labels of a cross-entropy that are none of its classes: an error of PyTorch, or on a GPU its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

_IGNORED = -100
"""What PyTorch leaves out by default."""


class Labels(NamedTuple):
    """Labels.

    Args:
        low: The smallest one that counts.
        high: The largest one.
        known: Those that are classes; in the place of others what is left out, or a class if none is left.
    """

    low: int
    high: int
    known: torch.Tensor


def labels_of(given: Mapping[str, Any]) -> Labels | None:
    """Return the labels that a cross-entropy is given; None where it takes shares of classes.

    Args:
        given: Its arguments by name: "input", "target", and "ignore_index" if it has one.

    Example:
        >>> labels_of({"input": torch.zeros(3, 4), "target": torch.tensor([1, 4, -100])})
        Labels(low=1, high=4, known=tensor([   1, -100, -100]))
    """
    output, target = given.get("input"), given.get("target")
    if output is None or target is None or target.is_floating_point() or not target.numel():
        return None
    classes, ignored = output.shape[1 if output.ndim > 1 else 0], given.get("ignore_index", _IGNORED)
    kept = target[target != ignored]
    if not kept.numel():
        return None
    wrong = (target != ignored) & ((target < 0) | (target >= classes))
    left = target.masked_fill(wrong, ignored)
    known = left if (left != ignored).any() else target.clamp(0, classes - 1)
    return Labels(int(kept.min()), int(kept.max()), known if wrong.any() else target)
