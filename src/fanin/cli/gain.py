"""`fanin gain`: the gain of an activation, and whether signals stay where it puts them."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout

import click

_EXAMPLES = """\b
fanin gain gelu
fanin gain "leaky_relu(0.2)" --depth 100 --width 256
fanin gain torch.nn.functional:hardswish"""


@click.command("gain", epilog=_EXAMPLES, context_settings={"show_default": True})
@click.argument("activation")
@click.option("--depth", default=50, help="Layers that the second moment is followed over.")
@click.option("--width", default=1024, help="Units a layer; 0 for infinitely many.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(activation: str, depth: int, width: int, as_json: bool) -> None:
    """Show the gain of ACTIVATION, and whether deep networks stay where it puts them.

    ACTIVATION is a name (gelu, "leaky_relu(0.2)"), or file.py:function or package.module:function for
    one of your own.
    """
    from rich.console import Console

    from fanin.api import gain

    # What the user's files print must not get into the result.
    with redirect_stdout(sys.stderr):
        result = gain(activation, depth=depth, width=width or None)
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=1, allow_nan=False))
    else:
        Console(highlight=False).print(result)
