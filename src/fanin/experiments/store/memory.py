"""The store of a comparison that is not kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, final

from fanin.experiments.store.base import Store, StudyRow
from fanin.frameworks.training import Run


@dataclass
class _Shelf:
    """One study's record and runs."""

    record: str
    created: datetime
    runs: dict[tuple[str, int], Run] = field(default_factory=dict)
    last: datetime | None = None


@final
class MemoryStore(Store):
    """Keeps runs as long as the process lives.

    Example:
        >>> with MemoryStore() as store:
        ...     store.begin("5e1f", {"builder": "create_model"})
        ...     store.add("5e1f", [Run("he_normal", 0, {"loss": (0.7, 0.4)})])
        ...     list(store.finished("5e1f"))
        [('he_normal', 0)]
    """

    def __init__(self) -> None:
        self._shelves: dict[str, _Shelf] = {}

    def begin(self, study_id: str, record: Mapping[str, Any]) -> None:
        """Register a study; one that is there already stays as it is."""
        # As text, so that the caller's later edits do not reach it.
        self._shelves.setdefault(study_id, _Shelf(json.dumps(record), datetime.now(UTC)))

    def finished(self, study_id: str) -> dict[tuple[str, int], Run]:
        """Return the study's runs by (scheme, seed), in the order they were added."""
        shelf = self._shelves.get(study_id)
        return dict(shelf.runs) if shelf else {}

    def add(self, study_id: str, runs: Sequence[Run]) -> None:
        """Keep runs; one that is there already stays as it is."""
        shelf = self._shelves[study_id]
        # Copied before any is kept, so that one that cannot be kept stops all, as in a file.
        for run in [_copy(run) for run in runs]:
            if (run.scheme, run.seed) not in shelf.runs:
                shelf.runs[run.scheme, run.seed] = run
                shelf.last = datetime.now(UTC)

    def studies(self) -> list[StudyRow]:
        """Return all studies, in the order they were registered."""
        return [_row(study_id, shelf) for study_id, shelf in self._shelves.items()]

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


def _copy(run: Run) -> Run:
    curves = {name: tuple(map(float, curve)) for name, curve in run.curves.items()}
    return replace(run, curves=curves, versions=dict(run.versions))


def _row(study_id: str, shelf: _Shelf) -> StudyRow:
    return StudyRow(
        id=study_id,
        record=json.loads(shelf.record),
        created=shelf.created,
        runs=len(shelf.runs),
        schemes=tuple(dict.fromkeys(scheme for scheme, _ in shelf.runs)),
        seeds=tuple(sorted({seed for _, seed in shelf.runs})),
        last=shelf.last,
    )
