"""What every store of runs does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self

from fanin.frameworks.training import Run


@dataclass(frozen=True)
class StudyRow:
    """A study in a store, and what it holds of it.

    Args:
        id: The study's content hash.
        record: What was registered with it (builder, data, epochs, ...), plain data.
        created: When it was registered, UTC.
        runs: How many finished runs it has.
        schemes: The keys of their schemes, in the order of their first runs.
        seeds: Their seeds, ascending.
        last: When the last of them was added, UTC; None without runs.
    """

    id: str
    record: Mapping[str, Any]
    created: datetime
    runs: int
    schemes: tuple[str, ...]
    seeds: tuple[int, ...]
    last: datetime | None


class Store(Protocol):
    """Keeps the finished runs of studies; `fanin.testing.store` has the tests that each must pass."""

    def begin(self, study_id: str, record: Mapping[str, Any]) -> None:
        """Register a study; one that is there already stays as it is.

        Args:
            study_id: The study's content hash.
            record: What describes it, as data that JSON can say.
        """
        ...

    def finished(self, study_id: str) -> dict[tuple[str, int], Run]:
        """Return the study's runs by (scheme, seed), in the order they were added."""
        ...

    def add(self, study_id: str, runs: Sequence[Run]) -> None:
        """Keep runs, all of them or none; when this returns they are safe.

        A run whose (scheme, seed) is there already stays as it is.

        Args:
            study_id: A study that was registered.
            runs: Finished runs; their seeds fit 64 bits.

        Raises:
            KeyError: The study was never registered.
            FaninError: The store cannot be written: a full disk, a file gone read-only.
        """
        ...

    def studies(self) -> list[StudyRow]:
        """Return all studies, in the order they were registered."""
        ...

    def close(self) -> None:
        """Let go of the store; closing twice does nothing."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def trial_id(study_id: str, scheme: str, seed: int) -> str:
    """Return what names one run among all: a hash of its study, scheme and seed, 32 hexadecimal digits.

    Example:
        >>> trial_id("5e1f", "he_normal", 0)
        '43ac248ade92e1e50d08c373e2e58076'
    """
    return hashlib.sha256(json.dumps([study_id, scheme, seed]).encode()).hexdigest()[:32]
