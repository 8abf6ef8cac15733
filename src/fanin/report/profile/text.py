"""A profile in the terminal: what happens over the depth, then layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from fanin.report.numbers import plain, significant, tied
from fanin.report.profile import depth, rows
from fanin.report.profile.record import LayerRecord, ProfileRecord

WIDTH = 80
LANE = 11
"""Columns of a lane."""
MARKS = {"forward": "●", "backward": "○"}
_BOTH = "◉"
NAME = 21
"""Columns of a layer's path and type."""
_LOST = 8
"""Columns that may stay empty so that a path begins with a whole part."""


class Lane:
    """A column in which a mark's place is a number on a logarithmic scale.

    Args:
        values: The numbers that will be shown; at least a decade is.
    """

    def __init__(self, values: Sequence[float | None]) -> None:
        logs = [math.log10(value) for value in values if value and value > 0 and math.isfinite(value)]
        low, high = (min(logs), max(logs)) if logs else (0.0, 0.0)
        spare = max(1 - (high - low), 0) / 2
        self.low, self.high, self.empty = low - spare, high + spare, not logs

    def place(self, value: float | None) -> int | None:
        """Return the place of a number's mark, from 0; None where it has none."""
        if not value or value < 0 or not math.isfinite(value) or self.empty:
            return None
        return round((math.log10(value) - self.low) / (self.high - self.low) * (LANE - 1))

    def __str__(self) -> str:
        return f"{significant(10**self.low, 2)} to {significant(10**self.high, 2)}"


def render(record: ProfileRecord) -> RenderableType:
    """Return a profile as something that Rich prints, no wider than 80 columns.

    Args:
        record: What a profile says.
    """
    title = Text(plain(record["model"]), style="bold", overflow="fold")
    title.append(f"  {rows.source(record)}", style="not bold dim")
    sentences = [Text(tied(plain(words))) for words in rows.summary(record)]
    notes = [*rows.reasons(record), *record["notes"]]
    told = [Text(tied(plain(words)), style="yellow" if "unknown" in words else "dim") for words in notes]
    layers = depth.shown(record)
    lanes = {way: Lane([depth.q_of(layer, way) for layer in layers]) for way in MARKS}
    about = Text(tied(plain(rows.about(record))), style="dim")
    parts: list[RenderableType] = [title, about, Text(), *sentences]
    if layers:
        parts += [Text(), _table(layers, lanes), Text(_legend(lanes), style="dim")]
    return Constrain(Group(*parts, *([Text()] if told else []), *told), WIDTH)


def _legend(lanes: dict[str, Lane]) -> str:
    known = [f"{MARKS[way]} {name} from {lanes[way]}" for way, name in _NAMES if not lanes[way].empty]
    return f"{', '.join(known)}, on log scales; ± is one standard deviation." if known else ""


_NAMES = (("forward", "q"), ("backward", "gradient"))


def _table(layers: Sequence[LayerRecord], lanes: dict[str, Lane]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("layer", no_wrap=True, width=NAME)
    headings = ["q", "mean", "c", "gradient q"]
    if any(layer["chi_1"] is not None for layer in layers):
        headings.append("χ₁")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    table.add_column("", no_wrap=True, width=LANE)
    hidden = {fold.start: fold for fold in depth.folds(layers)}
    root = root_of([layer["name"] for layer in layers])
    place = 0
    while place < len(layers):
        fold = hidden.get(place)
        if fold is not None:
            _add_fold(table, layers[fold.start : fold.stop], fold.period)
            place = fold.stop
            continue
        _add(table, layers[place], lanes, len(headings), root)
        place += 1
    return table


def _add(table: Table, layer: LayerRecord, lanes: dict[str, Lane], count: int, root: str) -> None:
    row = rows.row(layer)
    name = named(row.name.removeprefix(root), row.type)
    if layer["forward"] is None:
        # Without a reason it is nothing unknown, but of weights alone.
        table.add_row(name, Text(row.q, style="yellow" if row.unknown else "dim"))
        return
    cells = (row.q, row.mean, row.c, row.gradient, row.chi)
    values = {way: depth.q_of(layer, way) for way in MARKS}
    table.add_row(name, *map(Text, cells[:count]), Text(marked(values, lanes)))


def root_of(names: Sequence[str]) -> str:
    """Return what all paths of more than one part begin with in a Keras model: a table does without it.

    Example:
        >>> root_of(["sequential/conv2d", "pool", "sequential/dense"]), root_of(["conv", "fc"])
        ('sequential/', '')
    """
    firsts = [name.partition("/")[0] for name in names if "/" in name]
    return f"{firsts[0]}/" if len(firsts) > 1 == len(set(firsts)) else ""


def named(name: str, kind: str) -> Text:
    """Return a layer's path, its first parts left out if it is long, and its type where there is room."""
    name, kind = plain(name), plain(kind)
    if len(name) > NAME:
        rest = name[1 - NAME :]
        whole = min((place + 1 for mark in "./" if (place := rest.find(mark)) >= 0), default=0)
        # Whole parts of the path, unless little would be left of it: numbers of blocks come early.
        return Text(f"…{rest[whole if name[-NAME] not in './' and whole <= _LOST else 0 :]}")
    room = NAME - len(name) - 1
    if room < min(len(kind), 4):
        return Text(name)
    shown = kind if len(kind) <= room else f"{kind[: room - 1]}…"
    return Text.assemble(name, " ", (shown, "dim"))


def marked(values: Mapping[str, float | None], lanes: Mapping[str, Lane]) -> str:
    """Return the lanes of a row, one above the other, with a mark for each number.

    Args:
        values: By "forward" and "backward".
        lanes: Likewise.
    """
    cells = ["·"] * LANE
    for way, mark in MARKS.items():
        place = lanes[way].place(values[way])
        if place is not None:
            cells[place] = mark if cells[place] == "·" else _BOTH
    return "".join(cells)


def _add_fold(table: Table, layers: Sequence[LayerRecord], period: int) -> None:
    times = len(layers) // period
    each = "" if period == 1 else f" × {period}"
    ends = [_range(layers[period - 1 :: period], way) for way, _ in _NAMES]
    name = Text(f"⋮ {times}{each} more layers", style="dim")
    table.add_row(name, Text(ends[0], style="dim"), "", "", Text(ends[1], style="dim"))


def _range(layers: Sequence[LayerRecord], way: str) -> str:
    known = [value for layer in layers if (value := depth.q_of(layer, way)) is not None]
    return f"→ {rows.number(known[-1])}" if known else ""


def plain_text(record: ProfileRecord) -> str:
    """Return a profile as text of at most 80 columns."""
    return printed(render(record))


def printed(shown: RenderableType) -> str:
    """Return what Rich prints, without colours."""
    console = Console(file=StringIO(), width=WIDTH, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(shown)
    return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").splitlines())
