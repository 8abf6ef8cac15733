"""The `fanin` command: its subcommands are imported when they are called."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "compare": "Which initialization trains a model best, beyond luck.",
    "export": "Write a store's runs as CSV or JSON lines.",
    "runs": "List the studies in a store.",
    "schemes": "The catalogue of initialization schemes.",
}


class _LazyGroup(click.Group):
    """A group that shows its help without importing its commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return importlib.import_module(f"fanin.cli.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(cls=_LazyGroup)
@click.version_option(package_name="fanin")
def main() -> None:
    """Weight initialization you can explain, check and prove."""
