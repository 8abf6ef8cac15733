"""`fanin runs`: what a store holds."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fanin.experiments.store import StudyRow, open_reader

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = "fanin.runs/1"


@click.command("runs")
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the whole record of each study.")
def command(store: Path, as_json: bool) -> None:
    """List the studies in STORE; a driver may be writing it."""
    with open_reader(store) as reader:
        rows = reader.studies()
    if as_json:
        document = {"schema": SCHEMA, "store": str(store), "studies": [_as_json(row) for row in rows]}
        click.echo(json.dumps(_strict(document), indent=2))
    elif rows:
        from rich.console import Console

        Console().print(_table(rows))
    else:
        click.echo(f"{store} holds no studies yet.")


def _table(rows: Sequence[StudyRow]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    length = _short([row.id for row in rows])
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("study", no_wrap=True)
    table.add_column("builder", overflow="fold")
    table.add_column("data", overflow="fold")
    # Wide enough for the catalogue's names: a path is still legible when it is broken, a name is not.
    table.add_column("schemes", overflow="fold", min_width=16)
    table.add_column("seeds", justify="right", no_wrap=True)
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column("last run", min_width=10)
    for row in rows:
        names = (str(row.record.get(key, "")) for key in ("builder", "data"))
        cells = (row.id[:length], *names, "\n".join(row.schemes), str(len(row.seeds)), str(row.runs))
        # Text, not markup: names are the user's.
        table.add_row(*map(Text, cells), Text(_when(row.last or row.created)))
    return table


def _as_json(row: StudyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "created": row.created.isoformat(),
        "last": row.last and row.last.isoformat(),
        "runs": row.runs,
        "schemes": list(row.schemes),
        "seeds": list(row.seeds),
        "record": dict(row.record),
    }


def _strict(value: Any) -> Any:
    """Return plain data with what JSON cannot say (nan, inf) as null."""
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _short(ids: Sequence[str]) -> int:
    """Return how many characters tell all ids apart, 8 at least."""
    longest = max(map(len, ids))
    return next((n for n in range(8, longest) if len({study[:n] for study in ids}) == len(ids)), longest)


def _when(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
