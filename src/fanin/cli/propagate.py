"""`fanin propagate`: what signals and gradients will do in a model, and with --measure what they do."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fanin.cli.given import inputs_of, inputs_option, working

if TYPE_CHECKING:
    from fanin.theory.profile import SignalProfile

_EXAMPLES = """\b
fanin propagate model.py:create_model --input 8x3x224x224
fanin propagate model.py:create_model --input 8x128:tokens --scheme he_normal --loss cross_entropy
fanin propagate model.py:create_model --input 32x64 --measure --seeds 5 --html signals.html"""


@click.command("propagate", epilog=_EXAMPLES, context_settings={"show_default": True})
@click.argument("model")
@inputs_option
@click.option("--scheme", help="Scheme; see fanin schemes. By default the model's own initialization.")
@click.option("--loss", help="What gradients are of: cross_entropy, binary_cross_entropy or mse.")
@click.option("--train", is_flag=True, help="As in training: dropout, statistics of the batch.")
@click.option("--measure", is_flag=True, help="Also run the model, and compare.")
@click.option("--seeds", default=1, help="With --measure: how many networks, each initialized anew.")
@click.option("--batches", default=1, help="With --measure: how many batches a network.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with charts to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    model: str,
    inputs: tuple[str, ...],
    scheme: str | None,
    loss: str | None,
    train: bool,
    measure: bool,
    seeds: int,
    batches: int,
    html: Path | None,
    as_json: bool,
) -> None:
    """Show what signals and gradients will do in MODEL, layer by layer; without --measure nothing is run.

    MODEL is file.py:function or package.module:function, which returns a model.
    """
    from fanin.errors import FaninError

    if not measure and (seeds, batches) != (1, 1):
        raise FaninError("--seeds and --batches are for --measure.", fix="add --measure, or leave them out")
    _check(seeds, batches, html)
    options: dict[str, Any] = {"inputs": inputs_of(inputs), "scheme": scheme, "loss": loss, "train": train}
    # What the user's files print must not get into the result.
    with redirect_stdout(sys.stderr):
        predicted, measured = _profiles(model, options, seeds if measure else None, batches)
        if html:
            predicted.to_html(html, measured)
            click.echo(f"Page: {html}", err=True)
    _show(predicted, measured, as_json)


def _check(seeds: int, batches: int, html: Path | None) -> None:
    """Refuse at once what would fail when the work is done."""
    from fanin.errors import FaninError

    for name, value in (("--seeds", seeds), ("--batches", batches)):
        if value < 1:
            raise FaninError(f"{name} is {value}.", expected="a positive whole number")
    if html is not None and not html.absolute().parent.is_dir():
        raise FaninError(f"{html} cannot be written.", expected="a file in a folder that exists")


def _profiles(
    model: str, options: dict[str, Any], seeds: int | None, batches: int
) -> tuple[SignalProfile, SignalProfile | None]:
    """Return what is predicted, and of some seeds what is measured."""
    with working("reading the model"):
        from fanin.api import measure, propagate

        predicted = propagate(model, **options)
    if seeds is None:
        return predicted, None
    return predicted, measure(model, seeds=seeds, batches=batches, **options)


def _show(predicted: SignalProfile, measured: SignalProfile | None, as_json: bool) -> None:
    from rich.console import Console

    if as_json:
        result = predicted if measured is None else predicted.compare(measured)
        click.echo(json.dumps(result.to_dict(), indent=1, allow_nan=False))
        return
    console = Console(highlight=False)
    console.print(predicted)
    if measured is not None:
        console.print()
        console.print(predicted.compare(measured))
