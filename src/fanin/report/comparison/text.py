"""A comparison in the terminal: the verdict first, then the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from fanin.report.comparison import tables
from fanin.report.comparison.sentence import Sentence
from fanin.report.numbers import plain
from fanin.report.schema import ComparisonRecord

WIDTH = 80


def render(record: ComparisonRecord) -> RenderableType:
    """Return a comparison as something that Rich prints, no wider than 80 columns.

    Args:
        record: What a comparison says.

    Returns:
        The verdict, the ranking, each scheme's final losses and metrics, the time to the target, notes
        and the speed.
    """
    parts: list[RenderableType] = [Sentence(plain(record["verdict"]), "bold")]
    for block in (_ranking, _finals, _waiting, _notes, _speed):
        lines = list(block(record))
        parts += [Text(), *lines] if lines else []
    return Constrain(Group(*parts), WIDTH)


def _text(words: str, style: str = "") -> Text:
    return Text(plain(words), style=style, overflow="fold")


def _ranking(record: ComparisonRecord) -> Iterator[RenderableType]:
    lines = tables.ranking(record)
    yield _text(f"{tables.size(record)}, ranked by {tables.score_name(record)}.", "dim")
    cells = [[line.rank, line.scheme, line.iqm, line.interval, line.spread, line.failed] for line in lines]
    heads = ["", "Scheme", "IQM", "95 % interval", "Mean ± sd", "Fails"]
    if any(row["effect"] for row in record["ranking"]):
        heads.append("Effect")
        cells = [[*row, line.effect] for row, line in zip(cells, lines, strict=True)]
    if any(line.p for line in lines):
        heads.append("Adj p")
        cells = [[*row, line.p] for row, line in zip(cells, lines, strict=True)]
    yield _table(heads, cells, name=1)
    if "Effect" in heads:
        yield _text(f"Effect: paired difference from {record['control']}, positive is better.", "dim")


def _table(heads: Sequence[str], cells: Sequence[Sequence[str]], *, name: int = 0) -> Table:
    """Return a table whose column of names gives way when there is no room; digits are never cut."""
    widths = [max(map(cell_len, column)) for column in zip(heads, *cells, strict=True)]
    spare = WIDTH - sum(widths) - len(widths) + 1
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for place, (head, width) in enumerate(zip(heads, widths, strict=True)):
        airy = width + (place > 0 and spare >= len(widths) - place)
        if place == name:
            table.add_column(head, overflow="fold", max_width=width)
        else:
            table.add_column(head, justify="right", overflow="fold", min_width=min(airy, 18))
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def _finals(record: ComparisonRecord) -> Iterator[Text]:
    lines = [
        (name, "   ".join(f"{label}: {value}" for label, value in values))
        for name, values in tables.finals(record)
    ]
    head = "Initializer: "
    room = WIDTH - len(head) - max((cell_len(values) for _, values in lines), default=0) - 3
    width = max((size for name, _ in lines if (size := cell_len(name)) <= room), default=0)
    for name, values in lines:
        gap = " " * (max(width - cell_len(name), 0) + 3) if cell_len(name) <= room else "\n   "
        yield Text(head + name + gap + values, overflow="fold")


def _waiting(record: ComparisonRecord) -> Iterator[RenderableType]:
    lines = tables.waiting(record)
    if not lines:
        return
    tested = any(line.p for line in lines)
    yield _text(f"Time to reach {tables.target_name(record)}:", "dim")
    heads = ["Scheme", "Runs that reached it", "Median", *(["Log-rank p"] if tested else [])]
    cells = [[line.scheme, line.reached, line.median, *([line.p] if tested else [])] for line in lines]
    yield _table(heads, cells)


def _notes(record: ComparisonRecord) -> Iterator[Table]:
    for note in record["notes"]:
        item = Table.grid(padding=(0, 1, 0, 0))
        item.add_row(Text("·"), Sentence(plain(note)))
        yield item


def _speed(record: ComparisonRecord) -> Iterator[Text]:
    yield _text(tables.speed(record), "dim")
