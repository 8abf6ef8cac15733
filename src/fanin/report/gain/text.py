"""A gain in the terminal: the numbers, then whether signals stay where it puts them."""

from __future__ import annotations

from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from fanin.report.gain import rows
from fanin.report.gain.record import GainRecord
from fanin.report.numbers import plain, tied

WIDTH = 80
_STYLES = {"stable": "green", "marginal": "yellow", "unstable": "red"}


def render(record: GainRecord) -> RenderableType:
    """Return a gain as something that Rich prints, no wider than 80 columns.

    Args:
        record: What a gain says.
    """
    title = Text(plain(record["name"]), style="bold", overflow="fold")
    title.append(f"  for inputs from N(0, 1); derivative: {record['source']}", style="not bold dim")
    sentences = [Text(tied(rows.stability(record)), style=_STYLES[record["stability"]])]
    for words in (rows.drift(record), rows.breaks(record), *record["notes"]):
        sentences += [Text(tied(plain(words)))] if words else []
    return Constrain(Group(title, Text(), _table(record), Text(), *sentences), WIDTH)


def _table(record: GainRecord) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for style in ("", "bold", "dim"):
        table.add_column(style=style)
    for row in rows.rows(record):
        table.add_row(*map(Text, row))
    return table


def plain_text(record: GainRecord) -> str:
    """Return a gain as text of at most 80 columns."""
    console = Console(file=StringIO(), width=WIDTH, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(render(record))
    return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").splitlines())
