"""`fanin plan`: what a scheme would do to a model."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

import click

_EXAMPLES = """\b
fanin plan train.py:create_model --scheme he_normal
fanin plan torchvision.models:resnet18 --scheme orthogonal"""


@click.command("plan", epilog=_EXAMPLES, context_settings={"show_default": True})
@click.argument("model")
@click.option("--scheme", default="he_normal", help="Scheme; see fanin schemes.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="NAME=ROLE",
    help="Give parameters (a pattern of names) a role; may be repeated.",
)
@click.option("--strict", is_flag=True, help="Refuse models with parameters of unknown layers.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON; fanin.InitPlan reads it.")
def command(model: str, scheme: str, roles: tuple[str, ...], strict: bool, as_json: bool) -> None:
    """Show what a scheme would do to every parameter of MODEL, and why; nothing is changed.

    MODEL is file.py:function or package.module:function, which returns a model.
    """
    from rich.console import Console

    from fanin.api import plan

    # What the user's files print must not get into the plan.
    with redirect_stdout(sys.stderr):
        made = plan(model, scheme, roles=dict(map(_role, roles)), strict=strict)
    if as_json:
        click.echo(made.to_json())
    else:
        Console(highlight=False).print(made)


def _role(text: str) -> tuple[str, str]:
    from fanin.errors import FaninError

    name, equals, role = text.rpartition("=")
    if not equals:
        raise FaninError(f"--role {text} gives no role.", expected="NAME=ROLE", fix='--role "out.*=head"')
    return name, role
