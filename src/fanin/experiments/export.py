"""A store's runs for other programs: CSV in long form, or one JSON object a line."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, TextIO

from fanin.errors import FaninError
from fanin.experiments.store import SqliteReader, StudyRow
from fanin.frameworks.training import Run

_KEYS = ("study", "scheme", "seed", "epoch")


def write_csv(reader: SqliteReader, studies: Sequence[str], out: TextIO) -> None:
    """Write runs in long form: one row an epoch of a run, one column a logged quantity.

    The columns are study, scheme, seed, epoch (from 1), then all quantities of the studies. Values are
    the shortest decimals that read back as the same doubles, and nan, inf, -inf; a cell is empty where
    a run did not log the quantity. What is added to the store meanwhile is left out.

    Args:
        reader: The store.
        studies: Ids of the studies to write.
        out: Where to; memory does not grow with the runs.

    Example:
        >>> import sys, tempfile
        >>> from fanin.experiments.store import open_reader, open_store
        >>> path = tempfile.mkdtemp() + "/runs.db"
        >>> with open_store(path) as store:
        ...     store.begin("5e1f", {"builder": "create_model"})
        ...     store.add("5e1f", [Run("he_normal", 0, {"loss": (0.7, float("inf"))})])
        >>> with open_reader(path) as reader:
        ...     write_csv(reader, ["5e1f"], sys.stdout)
        study,scheme,seed,epoch,loss
        5e1f,he_normal,0,1,0.7
        5e1f,he_normal,0,2,inf
    """
    until = reader.mark()
    logged = [name for study in studies for name in reader.metrics(study, until=until)]
    metrics = list(dict.fromkeys(logged))
    writer = csv.writer(out, lineterminator="\n")
    # A quantity that is called like a key must not hide it from who reads by name.
    writer.writerow([*_KEYS, *(f"metric_{name}" if name in _KEYS else name for name in metrics)])
    for study in studies:
        for run in reader.runs(study, until=until):
            writer.writerows(_epochs(study, run, metrics))


def write_jsonl(reader: SqliteReader, studies: Sequence[str], out: TextIO) -> None:
    """Write one run a line: study, scheme, seed, seconds, versions, curves, nonfinite.

    JSON has no nan and no inf: they are null, and `nonfinite` is true.

    Args:
        reader: The store.
        studies: Ids of the studies to write.
        out: Where to; memory does not grow with the runs.

    Example:
        >>> import sys, tempfile
        >>> from fanin.experiments.store import open_reader, open_store
        >>> path = tempfile.mkdtemp() + "/runs.db"
        >>> with open_store(path) as store:
        ...     store.begin("5e1f", {"builder": "create_model"})
        ...     store.add("5e1f", [Run("zeros", 0, {"loss": (0.7, float("inf"))})])
        >>> with open_reader(path) as reader:
        ...     write_jsonl(reader, ["5e1f"], sys.stdout)  # doctest: +NORMALIZE_WHITESPACE
        {"study": "5e1f", "scheme": "zeros", "seed": 0, "seconds": 0.0, "versions": {},
         "curves": {"loss": [0.7, null]}, "nonfinite": true}
    """
    until = reader.mark()
    for study in studies:
        for run in reader.runs(study, until=until):
            out.write(json.dumps(_as_json(study, run), allow_nan=False) + "\n")


def find_study(studies: Iterable[StudyRow], prefix: str) -> StudyRow:
    """Return the study whose id begins with a prefix.

    Raises:
        FaninError: None does, or more than one.
    """
    rows = list(studies)
    found = [row for row in rows if row.id.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(row.id for row in (found or rows)[:8]) or "none: the store is empty"
    if found:
        raise FaninError(
            f"{len(found)} studies begin with {prefix!r}.", expected="one", fix=f"one of {listed}"
        )
    raise FaninError(f"No study begins with {prefix!r}.", expected=f"the beginning of one of {listed}")


def _epochs(study: str, run: Run, metrics: Sequence[str]) -> Iterator[list[Any]]:
    curves = [run.curves.get(name, ()) for name in metrics]
    for epoch, values in enumerate(zip_longest(*curves, fillvalue=""), start=1):
        yield [study, run.scheme, run.seed, epoch, *values]


def _as_json(study: str, run: Run) -> dict[str, Any]:
    return {
        "study": study,
        "scheme": run.scheme,
        "seed": run.seed,
        "seconds": _finite(run.seconds),
        "versions": dict(run.versions),
        "curves": {name: [_finite(value) for value in curve] for name, curve in run.curves.items()},
        "nonfinite": not all(math.isfinite(value) for curve in run.curves.values() for value in curve),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
