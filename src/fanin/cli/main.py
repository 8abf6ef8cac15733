"""The `fanin` command: its subcommands are imported when they are called."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from fanin.cli.interrupts import kept_interrupts
from fanin.errors import FaninError, nearest
from fanin.sources import first_line, own_line

_COMMANDS = {
    "check": "Whether a model is healthy at step 0, and what mends it.",
    "compare": "Which initialization trains a model best, beyond luck.",
    "export": "Write a store's runs as CSV or JSON lines.",
    "gain": "The gain of an activation, and whether depth keeps it.",
    "phase": "Order and chaos: mean field theory of an activation.",
    "plan": "What a scheme would do to every parameter of a model.",
    "propagate": "What signals and gradients will do in a model.",
    "rule": "What checks look for: all rules, or the page of one.",
    "runs": "List the studies in a store.",
    "schemes": "The catalogue of initialization schemes.",
    "trace": "What a model computes, as a graph of operations.",
}
_INTERRUPTED = 130  # 128 + SIGINT, as shells say it


class _Fault(click.ClickException):
    """A `FaninError` on its way to the terminal."""

    exit_code = FaninError.exit_code

    def show(self, file: Any = None) -> None:
        click.secho("error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(self.message, err=True)


class _LazyGroup(click.Group):
    """A group that shows its help without importing its commands, and says errors in one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return importlib.import_module(f"fanin.cli.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # --debug is understood before and after the command's name.
        ctx.meta["debug"] = "--debug" in args
        return super().parse_args(ctx, [arg for arg in args if arg != "--debug"])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = click.utils.make_str(args[0])
        if name not in _COMMANDS:
            near = f"fanin compare {name}" if ":" in name else nearest(name, _COMMANDS)
            raise FaninError(
                f"There is no command {name!r}.",
                expected=f"one of {', '.join(sorted(_COMMANDS))}",
                fix=f"did you mean {near}?" if near else "fanin --help",
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with kept_interrupts():
                return super().invoke(ctx)
        except FaninError as error:
            if ctx.meta["debug"]:
                raise
            raise _Fault(str(error)) from error
        except KeyboardInterrupt:
            click.echo(f"\nInterrupted. {ctx.meta.get('kept', '')}".rstrip(), err=True)
            sys.exit(_INTERRUPTED)
        except (click.ClickException, click.Abort, click.exceptions.Exit, OSError):
            raise  # click's own affairs; a pipe that was closed is one
        except Exception as error:
            if ctx.meta["debug"]:
                raise
            raise _Fault(_unforeseen(error)) from error


def _unforeseen(error: Exception) -> str:
    return str(
        FaninError(
            f"{type(error).__name__}: {first_line(error)}{own_line(error)}",
            fix="--debug shows where; if it is fanin's fault, please report it",
        )
    )


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fanin")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def main() -> None:
    """Weight initialization you can explain, check and prove."""
