"""What is known of memory without values: which of its places were filled from which distribution."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from fanin.frameworks.torch.laws.draws import Draw, mixture
from fanin.graph.signal import Law

Place = tuple[int, int, Draw | None]
"""First place, the one after the last, and what they were filled from; None where nobody knows."""


@dataclass
class Memory:
    """The memory of a tensor and of its views.

    Args:
        storage: PyTorch's object, kept so that no other one takes its address.
        places: What was filled, without overlaps.
    """

    storage: torch.UntypedStorage
    places: list[Place] = field(default_factory=list)

    def fill(self, start: int, stop: int, draw: Draw | None) -> None:
        """Say what places are filled from now."""
        kept: list[Place] = []
        for first, last, old in self.places:
            if first < start:
                kept.append((first, min(last, start), old))
            if last > stop:
                kept.append((max(first, stop), last, old))
        self.places = sorted([*kept, (start, stop, draw)], key=lambda place: place[0])

    def draws(self, start: int, stop: int) -> list[tuple[int, Draw]]:
        """Return what some places were filled from with their numbers; none where a part is unknown."""
        found: list[tuple[int, Draw]] = []
        reached = start
        for first, last, draw in self.places:
            if last <= start or first >= stop:
                continue
            if draw is None or first > reached:
                return []
            found.append((min(last, stop) - max(first, start), draw))
            reached = last
        return found if reached >= stop else []


class Memories:
    """The memory of all tensors that are met."""

    def __init__(self) -> None:
        self._all: dict[int, Memory] = {}

    def of(self, tensor: torch.Tensor) -> Memory:
        """Return a tensor's memory."""
        storage = tensor.untyped_storage()
        return self._all.setdefault(storage._cdata, Memory(storage))

    def fill(self, tensor: torch.Tensor, draw: Draw | None) -> None:
        """Say what a tensor, maybe a view, is filled from."""
        start, stop = _span(tensor)
        whole = stop - start == tensor.numel()
        self.of(tensor).fill(start, stop, draw if whole else None)

    def draws(self, tensor: torch.Tensor) -> list[tuple[int, Draw]]:
        """Return what a tensor's values were filled from, none where a part is unknown."""
        return self.of(tensor).draws(*_span(tensor))

    def single(self, tensor: torch.Tensor) -> Draw | None:
        """Return the one distribution that all of a tensor's values are of."""
        draws = self.draws(tensor)
        return draws[0][1] if len(draws) == 1 else None

    def law(self, tensor: torch.Tensor) -> Law | None:
        """Return the law of a tensor's values, None where nobody knows."""
        draws = self.draws(tensor)
        return mixture(draws) if draws else None


def _span(tensor: torch.Tensor) -> tuple[int, int]:
    """Return the first place in memory that a tensor has, and the one after its last."""
    reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    start = int(tensor.storage_offset())
    return start, start + int(reach) + 1 if tensor.numel() else start
