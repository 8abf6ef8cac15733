"""`fanin trace`: what a model computes."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

import click

from fanin.cli.given import inputs_of, inputs_option, working

_EXAMPLES = """\b
fanin trace model.py:create_model --input 8x3x224x224
fanin trace model.py:create_model --input 8x128:tokens --dot | dot -Tsvg > graph.svg"""


@click.command("trace", epilog=_EXAMPLES, context_settings={"show_default": True})
@click.argument("model")
@inputs_option
@click.option("--scheme", help="Scheme that weights are drawn from; by default the model's own values.")
@click.option("--train", is_flag=True, help="As in training: dropout, statistics of the batch.")
@click.option("--dot", "as_dot", is_flag=True, help="Print it for Graphviz.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    model: str, inputs: tuple[str, ...], scheme: str | None, train: bool, as_dot: bool, as_json: bool
) -> None:
    """Show what MODEL computes: operations by module, with the shapes and roles of their axes.

    MODEL is file.py:function or package.module:function, which returns a model.
    """
    from fanin.errors import FaninError

    if as_dot and as_json:
        raise FaninError("--dot and --json are two ways to print one graph.", fix="leave one of them out")
    given = inputs_of(inputs)
    # What the user's files print must not get into the result.
    with redirect_stdout(sys.stderr), working("reading the model"):
        from fanin.api import trace

        graph = trace(model, scheme, inputs=given, train=train)
    click.echo(graph.to_dot() if as_dot else graph.to_json() if as_json else str(graph))
