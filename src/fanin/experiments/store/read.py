"""Reading a store's tables; no transaction outlives a call, so nobody waits for a slow reader."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from datetime import datetime

from fanin.experiments.store.base import StudyRow
from fanin.experiments.store.encoding import decode_curves
from fanin.frameworks.training import Run

_BATCH = 256
_ALL = (1 << 63) - 1

_RUNS = """
SELECT rowid, scheme, seed, curves, seconds, versions FROM run
WHERE study = ? AND rowid > ? AND rowid <= ? ORDER BY rowid LIMIT ?"""

_STUDIES = """
SELECT study.id, record, created, count(run.id), max(finished) FROM study LEFT JOIN run ON study = study.id
GROUP BY study.id ORDER BY study.rowid"""


def studies(connection: sqlite3.Connection) -> list[StudyRow]:
    """Return all studies, in the order they were registered."""
    connection.execute("BEGIN")
    try:
        return [_study(connection, *row) for row in connection.execute(_STUDIES).fetchall()]
    finally:
        connection.execute("ROLLBACK")


def mark(connection: sqlite3.Connection) -> int:
    """Return the number of the last run that is there."""
    (last,) = connection.execute("SELECT coalesce(max(rowid), 0) FROM run").fetchone()
    return last


def runs(connection: sqlite3.Connection, study_id: str, *, until: int | None = None) -> Iterator[Run]:
    """Yield a study's runs as they were added, up to a mark."""
    last, until = 0, _ALL if until is None else until
    while rows := connection.execute(_RUNS, (study_id, last, until, _BATCH)).fetchall():
        for row in rows:
            yield _run(*row[1:])
        last = rows[-1][0]


def metrics(connection: sqlite3.Connection, study_id: str, *, until: int | None = None) -> list[str]:
    """Return the names of what a study's runs logged, in the order they were first logged."""
    names: dict[str, None] = {}
    for run in runs(connection, study_id, until=until):
        names |= dict.fromkeys(run.curves)
    return list(names)


def _study(
    connection: sqlite3.Connection, study_id: str, record: str, created: str, count: int, last: str | None
) -> StudyRow:
    schemes = "SELECT scheme FROM run WHERE study = ? GROUP BY scheme ORDER BY min(rowid)"
    seeds = "SELECT DISTINCT seed FROM run WHERE study = ? ORDER BY seed"
    return StudyRow(
        id=study_id,
        record=json.loads(record),
        created=datetime.fromisoformat(created),
        runs=count,
        schemes=tuple(scheme for (scheme,) in connection.execute(schemes, (study_id,))),
        seeds=tuple(seed for (seed,) in connection.execute(seeds, (study_id,))),
        last=None if last is None else datetime.fromisoformat(last),
    )


def _run(scheme: str, seed: int, curves: str, seconds: float | None, versions: str) -> Run:
    try:
        # SQLite has no NaN: it makes it NULL.
        took = math.nan if seconds is None else seconds
        return Run(scheme, seed, decode_curves(curves), took, json.loads(versions))
    except (ValueError, TypeError, AttributeError) as error:
        raise sqlite3.DatabaseError(f"the run of {scheme}, seed {seed}, is unreadable: {error}") from error
