"""`fanin check`: whether a model is healthy at step 0."""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fanin.cli import baseline
from fanin.cli.given import inputs_of, inputs_option, working
from fanin.cli.settings import FAIL_ON, Settings, settings, split
from fanin.cli.subject import batch_of, home_of, loss_of, model_of

if TYPE_CHECKING:
    from fanin.report.diagnosis.record import SourceRecord
    from fanin.rules.diagnosis import Diagnosis
    from fanin.rules.fixes import FixReport

_EXAMPLES = """\b
fanin check model.py:create_model --input 8x3x224x224 --loss cross_entropy
fanin check model.py:create_model --data model.py:batch --loss model.py:loss
fanin check model.py:create_model --data model.py:batch --format github"""
_FOUND = 1  # exit code


@click.command("check", epilog=_EXAMPLES, context_settings={"show_default": True})
@click.argument("model")
@inputs_option
@click.option(
    "--data", metavar="SPEC", help="A batch: file.py:name of (x, y), of x, or of a function of them."
)
@click.option(
    "--loss",
    help="cross_entropy, binary_cross_entropy, mse, or file.py:name of a function (outputs, targets); Keras "
    "has (targets, outputs).",
)
@click.option(
    "--select", multiple=True, metavar="CODES", help="Rules to ask, such as FWD,OUT101; all by default."
)
@click.option("--ignore", multiple=True, metavar="CODES", help="Rules to leave out.")
@click.option(
    "--fail-on", type=click.Choice(FAIL_ON), help="Exit with 1 from this severity on.  [default: error]"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    help="What to print.",
)
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with charts to this file.")
@click.option("--fix-report", is_flag=True, help="Try the fixes on a copy, and measure again.")
@click.option("--seeds", default=1, help="How many networks: the share that is born dead.")
@click.option(
    "--widths", metavar="N,N", help="Widths to make the model in, by MODEL(width): what changes with it."
)
@click.option("--baseline", "known", type=click.Path(path_type=Path), help="File of known findings.")
@click.option(
    "--write-baseline",
    "keep",
    type=click.Path(path_type=Path),
    help="Write what is found as known, and exit with 0.",
)
@click.pass_context
def command(
    context: click.Context,
    model: str,
    inputs: tuple[str, ...],
    data: str | None,
    loss: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    fail_on: str | None,
    form: str,
    html: Path | None,
    fix_report: bool,
    seeds: int,
    widths: str | None,
    known: Path | None,
    keep: Path | None,
) -> None:
    """Say whether MODEL is healthy at step 0: what is wrong, where, and what mends it.

    MODEL is file.py:function or package.module:function, which returns a model. Rules, --fail-on and the
    baseline may also stand in [tool.fanin.check] of pyproject.toml, or [check] of fanin.toml.

    Exit code 0: healthy; 1: a finding from --fail-on on; 2: the input was wrong.
    """
    _check(html, keep)
    _check_form(form, fix_report)
    project = settings(Path.cwd())
    choice = _choice(project, select, ignore, None if keep else known or project.baseline)
    # What the user's files print must not get into the result.
    with redirect_stdout(sys.stderr), working("checking the model"):
        choice |= {"widths": _widths(widths), "seeds": seeds}
        found = _diagnosed(model, inputs, data, loss, choice)
        report = _tried(found) if fix_report else None
        home = home_of(model)
    if html:
        (report or found).to_html(html)
        click.echo(f"Page: {html}", err=True)
    for code, where in found.past:
        click.echo(f"Baseline: {code} at {where} is there no longer", err=True)
    if keep:
        count = baseline.write(keep, found.findings)
        click.echo(f"Baseline: {keep}, {count} known findings", err=True)
    if report is not None and form == "json":
        click.echo(json.dumps(report.to_dict(), indent=1, allow_nan=False))
    else:
        _show(found, form, home)
    if report is not None and form == "text":
        _show_fixes(report)
    level: Any = fail_on or project.fail_on
    if not keep and level != "never" and found.at_least(level):
        context.exit(_FOUND)


def _check(*files: Path | None) -> None:
    """Refuse at once what would fail when the work is done."""
    from fanin.errors import FaninError

    for file in files:
        if file is not None and not file.absolute().parent.is_dir():
            raise FaninError(f"{file} cannot be written.", expected="a file in a folder that exists")


def _check_form(form: str, fix_report: bool) -> None:
    from fanin.errors import FaninError

    if fix_report and form not in ("text", "json"):
        raise FaninError(f"--fix-report is no {form}.", expected="--format text or json")


def _widths(text: str | None) -> tuple[int, ...]:
    from fanin.errors import FaninError

    try:
        return tuple(int(one) for one in text.split(",")) if text else ()
    except ValueError as error:
        raise FaninError(f"--widths is {text}.", expected="whole numbers, such as 64,256") from error


def _choice(
    project: Settings, select: tuple[str, ...], ignore: tuple[str, ...], known: Path | None
) -> dict[str, Any]:
    """Return which findings are wanted: what the command line says, or else the project.

    Raises:
        FaninError: There is no such rule, or no such baseline.
    """
    from fanin.rules.diagnosis import Choice

    chosen: dict[str, Any] = {
        "select": split(select) or project.select,
        "ignore": split(ignore) or project.ignore,
        "known": baseline.read(known) if known else frozenset(),
    }
    Choice(**chosen)  # says at once what is wrong with it
    return {**chosen, "per_layer_ignores": project.per_layer_ignores}


def _diagnosed(
    model: str,
    inputs: tuple[str, ...],
    data: str | None,
    loss: str | None,
    choice: dict[str, Any],
) -> Diagnosis:
    from fanin.api import diagnose
    from fanin.errors import FaninError
    from fanin.experiments.loading import load

    if bool(inputs) == (data is not None):
        raise FaninError(
            "There are two batches." if inputs else "There is no batch.",
            expected="--input with the shape of what is drawn, or --data with a batch of yours",
            fix="--input 8x3x224x224, or --data file.py:batch",
        )
    made = load(model, what="a function of a width") if choice["widths"] else model_of(model, choice["seeds"])
    x, y = batch_of(data) if data else (None, None)
    drawn = inputs_of(inputs) if inputs else None
    return diagnose(made, x, y, loss=loss_of(loss), inputs=drawn, **choice)


def _tried(found: Diagnosis) -> FixReport | None:
    """Return what changes with fixes; None where none can be tried."""
    from fanin.rules.fixes import fixes_of

    return found.fix_report() if fixes_of(found.at_least("warning")) else None


def _show_fixes(report: FixReport) -> None:
    from rich.console import Console

    Console(highlight=False).print("", report, sep="\n")


def _show(found: Diagnosis, form: str, home: SourceRecord | None) -> None:
    if form == "text":
        from rich.console import Console

        Console(highlight=False).print(found)
    elif form == "json":
        click.echo(json.dumps(found.to_dict(), indent=1, allow_nan=False))
    elif form == "sarif":
        from fanin.report.diagnosis.sarif import log
        from fanin.rules.records import rule_records

        made = log(found.to_dict(), rule_records(), _root(), home)
        click.echo(json.dumps(made, indent=1, allow_nan=False))
    else:
        from fanin.report.diagnosis.github import lines

        for line in lines(found.to_dict(), _root(), home):
            click.echo(line)


def _root() -> Path:
    """Return the folder of the repository: where GitHub has checked it out, else the working directory."""
    here = Path.cwd()
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or here)
    return workspace.resolve() if here.is_relative_to(workspace.resolve()) else here
