"""Mean field theory in the terminal."""

from __future__ import annotations

from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from fanin.report.gain.rows import number
from fanin.report.numbers import plain, tied
from fanin.report.phase import rows
from fanin.report.phase.record import DiagramRecord, LineRecord, MeanFieldRecord

WIDTH = 80
_STYLES = {
    "ordered": "blue",
    "critical": "green",
    "chaotic": "yellow",
    "vanishing": "red",
    "unbounded": "red",
}


def render(record: MeanFieldRecord) -> RenderableType:
    """Return mean field theory at one pair of variances as something that Rich prints, in 80 columns.

    Args:
        record: What it says.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    for style in ("", "bold", "dim"):
        table.add_column(style=style)
    for row in rows.rows(record):
        table.add_row(*map(Text, row))
    verdict = Text(tied(rows.verdict(record)), style=_STYLES.get(record["phase"], ""))
    others = [words for words in (rows.fixed_points(record), *record["notes"]) if words]
    return _group(_title(record["name"], rows.setting(record)), table, verdict, *_sentences(others))


def render_line(record: LineRecord) -> RenderableType:
    """Return a critical line as something that Rich prints."""
    parts: list[RenderableType] = [] if not record["points"] else [_points(record), Text()]
    return Constrain(
        Group(
            _title(record["name"], "critical line, χ₁ = 1"), Text(), *parts, *_sentences(rows.line(record))
        ),
        WIDTH,
    )


def render_diagram(record: DiagramRecord) -> RenderableType:
    """Return a phase diagram as something that Rich prints: its critical line, and how much of each phase."""
    if record["line"] is None:
        line: RenderableType = Group(
            _title(record["name"], "phase diagram"),
            Text(),
            Text("It jumps: inputs part at once, everywhere."),
        )
    else:
        line = render_line(record["line"])
    return Constrain(Group(line, *_sentences([rows.extent(record)])), WIDTH)


def plain_text(record: MeanFieldRecord) -> str:
    """Return mean field theory as text of at most 80 columns."""
    return _plain(render(record))


def plain_line(record: LineRecord) -> str:
    """Return a critical line as text of at most 80 columns."""
    return _plain(render_line(record))


def plain_diagram(record: DiagramRecord) -> str:
    """Return a phase diagram as text of at most 80 columns."""
    return _plain(render_diagram(record))


def _points(record: LineRecord) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    for heading in ("q", "σ_w²", "σ_b²", "slope", ""):
        table.add_column(heading, justify="left")
    table.add_row(
        *(Text(word, style="dim") for word in ("q", "σ_w²", "σ_b²", "slope of the variance map", ""))
    )
    for point in rows.chosen(record):
        numbers = (point["q"], point["weight_variance"], point["bias_variance"], point["slope"])
        style = "dim" if point["stability"] == "unstable" else ""
        table.add_row(
            *(Text(number(value), style=style) for value in numbers), Text(point["stability"], style=style)
        )
    return table


def _title(name: str, about: str) -> Text:
    title = Text(plain(name), style="bold", overflow="fold")
    return title.append(f"  {about}", style="not bold dim")


def _sentences(words: list[str]) -> list[Text]:
    return [Text(tied(plain(each))) for each in words]


def _group(title: Text, table: Table, *sentences: Text) -> RenderableType:
    return Constrain(Group(title, Text(), table, Text(), *sentences), WIDTH)


def _plain(shown: RenderableType) -> str:
    console = Console(file=StringIO(), width=WIDTH, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(shown)
    return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").splitlines())
