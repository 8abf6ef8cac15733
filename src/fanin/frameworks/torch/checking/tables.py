"""Rows of tables, and what is left of them in sums with what is the same for all examples."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch

from fanin.frameworks.torch.checking import units
from fanin.rules.vitals import Left

_T = torch.Tensor
_ADDS = frozenset(
    (torch.add, _T.add, _T.add_, _T.__add__, _T.__radd__, _T.__iadd__, operator.add, operator.iadd)
)
_SCALES = frozenset((torch.mul, _T.mul, _T.mul_, _T.__mul__, _T.__rmul__, _T.__imul__))


class Rows:
    """Follows what tables give out to where it is added to something.

    Args:
        tell: Is told a number of a table's call and what is left of its rows.
    """

    def __init__(self, tell: Callable[[int, Left], None]) -> None:
        self._tell = tell
        self._followed: dict[int, tuple[torch.Tensor, int, float]] = {}

    def begin(self, rows: torch.Tensor, number: int) -> None:
        """Follow rows that differ between examples.

        Args:
            rows: What a table gives out, the examples first.
            number: Of the call.
        """
        _, varied = units.similarity(rows)
        if varied and rows.ndim > 2:
            self._followed[id(rows)] = rows, number, varied

    def see(self, func: Any, args: Sequence[Any], result: torch.Tensor) -> None:
        """Look at a call of a function.

        Args:
            func: The function.
            args: What it was called with.
            result: What it has returned.
        """
        if not self._followed or len(args) < 2 or not (func in _ADDS or func in _SCALES):
            return
        for one, other in (args[:2], args[1::-1]):
            found = self._followed.get(id(one))
            if found is None or not _is_same_for_all(other, result):
                continue
            _, number, before = found
            self._followed[id(result)] = result, number, before
            _, varied = units.similarity(result)
            if func in _ADDS and isinstance(other, torch.Tensor) and varied is not None:
                self._tell(number, Left(varied / before, other.requires_grad))
            return


def _is_same_for_all(other: Any, result: torch.Tensor) -> bool:
    """Return whether what rows are added to is the same for all examples."""
    if not isinstance(other, torch.Tensor) or other.ndim < result.ndim or other.shape[0] == 1:
        return True
    return other.stride(0) == 0 or bool((other == other[:1]).all())
