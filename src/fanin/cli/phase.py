"""`fanin phase`: mean field theory of an activation, at one pair of variances or over all of them."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

_EXAMPLES = """\b
fanin phase tanh
fanin phase tanh --html phases.html
fanin phase tanh --weight-variance 1.76 --bias-variance .05
fanin phase model.py:my_activation --weight-variance 2 --json"""


@click.command("phase", epilog=_EXAMPLES, context_settings={"show_default": True})
@click.argument("activation")
@click.option("--weight-variance", type=float, help="Variance of the weights times fan-in.")
@click.option("--bias-variance", type=float, default=0.0, help="Variance of the biases.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with charts to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    activation: str, weight_variance: float | None, bias_variance: float, html: Path | None, as_json: bool
) -> None:
    """Show what depth does to signals and gradients with ACTIVATION, in wide fully connected layers.

    With --weight-variance: whether they are ordered, critical or chaotic there, and the depth scales.
    Without: the critical line, and with --html or --json the phase diagram.

    ACTIVATION is a name (gelu, "leaky_relu(0.2)"), or file.py:function or package.module:function for
    one of your own.
    """
    from rich.console import Console

    from fanin.api import critical_line, mean_field, phase_diagram
    from fanin.errors import FaninError
    from fanin.theory.critical_line import CriticalLine

    if weight_variance is None and bias_variance:
        raise FaninError("--bias-variance is given alone.", expected="--weight-variance beside it")
    # What the user's files print must not get into the result.
    with redirect_stdout(sys.stderr):
        if weight_variance is not None:
            result = mean_field(activation, weight_variance, bias_variance)
        else:
            result = phase_diagram(activation) if html or as_json else critical_line(activation)
        if html and not isinstance(result, CriticalLine):
            result.to_html(html)
            click.echo(f"Page: {html}", err=True)
    if as_json:
        click.echo(result.to_json())
    else:
        Console(highlight=False).print(result)
