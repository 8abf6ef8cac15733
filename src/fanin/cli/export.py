"""`fanin export`: a store's runs as CSV or JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from fanin.errors import FaninError
from fanin.experiments.export import find_study, write_csv, write_jsonl
from fanin.experiments.store import open_reader

_WRITERS = {"csv": write_csv, "jsonl": write_jsonl}


@click.command("export")
@click.argument("store", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(sorted(_WRITERS)),
    default="csv",
    show_default=True,
    help="What to write.",
)
@click.option("--study", metavar="ID", help="Only the study whose id begins so; by default all.")
@click.option(
    "--output", type=click.Path(path_type=Path, allow_dash=True), help="File to write; by default stdout."
)
def command(store: Path, form: str, study: str | None, output: Path | None) -> None:
    """Write the runs of STORE as CSV or JSON lines.

    CSV has one row for each epoch of each run: study, scheme, seed, epoch, then one column for each
    metric, with nan and inf as such.

    JSON lines have one run a line, with its curves; a value that is not finite is null, and "nonfinite"
    is true.
    """
    with open_reader(store) as reader:
        rows = reader.studies()
        chosen = rows if study is None else [find_study(rows, study)]
        with _opened(output, store) as out:
            _WRITERS[form](reader, [row.id for row in chosen], out)


@contextmanager
def _opened(path: Path | None, store: Path) -> Iterator[TextIO]:
    """Open the output; a file appears, or is replaced, only when it is complete."""
    if path is None or str(path) == "-":
        yield sys.stdout
        return
    if path.exists() and path.samefile(store):
        raise FaninError(f"--output {path} is the store itself.", fix="give --output another name")
    try:
        if path.exists() and not path.is_file():  # a pipe, a device, or a directory, which fails
            with path.open("w", encoding="utf-8", newline="") as out:
                yield out
            return
        part = path.resolve().with_name(f"{path.name}.part")
        with _removed_on_failure(part), part.open("w", encoding="utf-8", newline="") as out:
            yield out
        part.replace(path.resolve())
    except OSError as error:
        raise FaninError(
            f"{path} cannot be written ({error.strerror}).", fix="--output with another path"
        ) from error


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
