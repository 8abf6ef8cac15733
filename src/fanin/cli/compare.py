"""`fanin compare`: which initialization trains a model best, beyond luck."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

from fanin.errors import FaninError


def _split(text: str) -> list[str]:
    """Split at the commas that are not inside parentheses: "zeros,normal(stddev=.02)"."""
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _seeds(text: str) -> int | list[int]:
    try:
        numbers = [int(part) for part in text.removesuffix(",").split(",")]
    except ValueError:
        raise FaninError(f"seeds is {text!r}.", expected="how many, or which: 0,1,2") from None
    return numbers[0] if "," not in text else numbers


def _check_report(html: Path | None, store: Path | None) -> None:
    """Refuse before the training what would fail after it."""
    if html is None:
        return
    folder = html.resolve().parent
    if html.is_dir():
        raise FaninError(f"{html} is a directory.", expected="a file", fix=f"--html {html / 'report.html'}")
    if not folder.is_dir():
        raise FaninError(f"There is no directory {folder} for the report.", fix=f"mkdir -p {folder}")
    if store is not None and html.resolve() == store.resolve():
        raise FaninError(f"{html} is the store.", fix="give --html another name")
    if not os.access(html if html.exists() else folder, os.W_OK):
        raise FaninError(f"{html} cannot be written.", fix="give --html another path")


def _kept(store: Path | None) -> str:
    if store is None:
        return "Nothing is kept; with --store FILE finished runs would be."
    return f"Finished runs are kept in {store}; the same command goes on from there."


_EXAMPLES = """\b
fanin compare
fanin compare model.py:create_model --data model.py:load_data \\
    --schemes zeros,he_normal --seeds 50 --store runs.db --html report.html"""


@click.command(epilog=_EXAMPLES, context_settings={"show_default": True})
@click.argument("model", required=False)
@click.option(
    "--data", default="seed", help="file.py:function, or seed, digits, breast_cancer, wine, iris, diabetes."
)
@click.option(
    "--schemes", default="zeros,random_normal,glorot_normal,he_normal", help="Schemes; see fanin schemes."
)
@click.option("--seeds", default="20", help="How many seeds, or which (0,1,2).")
@click.option("--epochs", default=10, help="Passes over the training data.")
@click.option("--batch-size", default=32, help="Examples a step.")
@click.option("--optimizer", help="Keras optimizer. [default: the model's own, or adam]")
@click.option("--loss", help="Keras loss. [default: the model's own, or the data's]")
@click.option("--metric", "metrics", multiple=True, help="Keras metric; may be repeated.")
@click.option("--score", help="What ranks the runs. [default: the first metric on test data]")
@click.option("--target", help="Level for time-to-target, as in loss=.3.")
@click.option("--control", help="Scheme to test the others against. [default: Glorot's]")
@click.option("--store", type=click.Path(path_type=Path), help="SQLite file that keeps the runs.")
@click.option(
    "--backend", type=click.Choice(["jax", "torch", "tensorflow"]), default="jax", help="Keras backend."
)
@click.option("--html", type=click.Path(path_type=Path), help="Write the report to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(model: str | None, html: Path | None, as_json: bool, **options: Any) -> None:
    """Train MODEL from many initializations and seeds, and say which is best beyond luck.

    MODEL is file.py:function or package.module:function, a function that returns a Keras model and
    takes the initializer, or nothing. Without it: a 64-32 ReLU network that fits the data.
    """
    from rich.console import Console

    from fanin.api import compare

    _check_report(html, options["store"])
    click.get_current_context().meta["kept"] = _kept(options["store"])
    options |= {"schemes": _split(options["schemes"]), "seeds": _seeds(options["seeds"])}
    # What the user's files print must not get into the result.
    with redirect_stdout(sys.stderr):
        result = compare(model, command=shlex.join(["fanin", *sys.argv[1:]]), **options)
    if as_json:
        click.echo(result.to_json())
    else:
        Console().print(result)
    if html:
        result.to_html(html)
        click.echo(f"Report: {html}", err=True)
