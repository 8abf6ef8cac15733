"""What of a record goes into a page: all of it where it fits, and word of whatever is left out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from fanin.report.schema import Band, ComparisonRecord, RunRecord

ROOM = 850_000
"""Characters of data in a page; with the charts' JavaScript it stays below 2 MB."""

POINTS = 200
"""Epochs of a drawn curve: more than a screen resolves."""


@dataclass(frozen=True)
class Fitted:
    """A record that fits into a page.

    Args:
        record: The record, its numbers to six significant digits.
        epochs: The epochs of each run's curves.
        left_out: One sentence for each thing that is not there.
    """

    record: ComparisonRecord
    epochs: list[int]
    left_out: list[str]


def fit(record: ComparisonRecord, room: int = ROOM) -> Fitted:
    """Return as much of a record as some room holds, without changing it.

    First go points of the drawn curves that no screen can show, then epochs of single runs, then whole
    runs; the ranking and every statistic stay.

    Args:
        record: What a comparison says.
        room: Characters of JSON.
    """
    small, said = cast(ComparisonRecord, rounded(record)), []
    epochs = list(
        range(1, 1 + _most(len(curve) for run in small["runs"] for curve in run["curves"].values()))
    )
    if length(small) > room:
        small = _one_way(small)
    small, stride = _fewer_points(small, room)
    if stride > 1:
        said.append(f"The drawn curves have every {ordinal(stride)} epoch.")
    small, stride = _fitting(
        _thin_runs, small, [run["curves"] for run in small["runs"]], room, len(epochs) // 3
    )
    if stride != 1:
        epochs = every(epochs, stride) if stride else []
        share = f"only every {ordinal(stride)} epoch" if stride else "no epoch but the last"
        said.append(f"Of the learning curves of single runs, the download has {share}.")
    seeds = len({run["seed"] for run in small["runs"]})
    small, stride = _fitting(_thin_seeds, small, small["runs"], room, seeds - 1)
    if stride != 1:
        share = f"One run in {stride}" if stride else "No run"
        said.append(f"{share} is drawn and in the download; the statistics are over all of them.")
    return Fitted(small, epochs, said)


def _fitting(
    thin: Callable[[ComparisonRecord, int], ComparisonRecord],
    record: ComparisonRecord,
    part: Any,
    room: int,
    most: int,
) -> tuple[ComparisonRecord, int]:
    """Thin a part of a record until all fits; beyond some stride, or where none helps, it goes (stride 0)."""
    total, size = length(record), length(part)
    if total <= room:
        return record, 1
    stride = max(math.ceil(size / max(room - (total - size), 1)), 2)
    while stride <= most:
        if length(made := thin(record, stride)) <= room:
            return made, stride
        stride += 1
    return thin(record, 0), 0


def _fewer_points(record: ComparisonRecord, room: int) -> tuple[ComparisonRecord, int]:
    """Thin drawn curves to the points a screen resolves, and further where they alone take half the room."""
    epochs = _most(len(band["epoch"]) for bands in record["curves"].values() for band in bands.values())
    stride = max(math.ceil(epochs / POINTS), 1)
    while length((made := _thin_bands(record, stride))["curves"]) > room / 2 and stride < epochs:
        stride *= 2
    return made, stride


def _most(counts: Iterable[int]) -> int:
    return max(counts, default=0)


def _one_way(record: ComparisonRecord) -> ComparisonRecord:
    """Keep each pair of schemes once: the probability of the reverse is one minus it."""
    place = {row["scheme"]: row["rank"] for row in record["ranking"]}
    return {
        **record,
        "improvement": [pair for pair in record["improvement"] if place[pair["a"]] < place[pair["b"]]],
    }


def _thin_bands(record: ComparisonRecord, stride: int) -> ComparisonRecord:
    def thin(band: Band) -> Band:
        return cast(Band, {key: every(cast(list, values), stride) for key, values in band.items()})

    curves = record["curves"].items()
    return {
        **record,
        "curves": {name: {key: thin(band) for key, band in bands.items()} for name, bands in curves},
    }


def _thin_runs(record: ComparisonRecord, stride: int) -> ComparisonRecord:
    """Keep every so-many-th epoch of each run; none for 0."""

    def thin(run: RunRecord) -> RunRecord:
        kept = {metric: every(values, stride) for metric, values in run["curves"].items()} if stride else {}
        return {**run, "curves": kept}

    return {**record, "runs": [thin(run) for run in record["runs"]]}


def _thin_seeds(record: ComparisonRecord, stride: int) -> ComparisonRecord:
    """Keep every so-many-th seed; none for 0."""
    kept = set(every(sorted({run["seed"] for run in record["runs"]}), stride) if stride else ())
    return {**record, "runs": [run for run in record["runs"] if run["seed"] in kept]}


def length(value: Any) -> int:
    """Return the characters of a value as JSON."""
    return len(json.dumps(value, separators=(",", ":")))


def rounded(value: Any) -> Any:
    """Return plain data with each float to six significant digits, and None for what is not finite.

    Example:
        >>> rounded({"loss": [0.123456789, float("nan")], "seeds": 20})
        {'loss': [0.123457, None], 'seeds': 20}
    """
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value


def every(values: Sequence[Any], stride: int) -> list[Any]:
    """Return every so-many-th value, counted from the end so that the last one stays.

    Example:
        >>> every([1, 2, 3, 4, 5, 6], 3)
        [3, 6]
    """
    return list(values[(len(values) - 1) % stride :: stride])


def ordinal(number: int) -> str:
    """Return "2nd" for 2.

    Example:
        >>> [ordinal(number) for number in (2, 3, 4, 11, 21, 112)]
        ['2nd', '3rd', '4th', '11th', '21st', '112th']
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
