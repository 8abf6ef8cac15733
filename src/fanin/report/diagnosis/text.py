"""A diagnosis in the terminal: whether the model is healthy, what is wrong, then layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fanin.report.diagnosis import rows
from fanin.report.diagnosis.places import touched
from fanin.report.diagnosis.record import DiagnosisRecord, FindingRecord, LayerRecord
from fanin.report.numbers import plain, tied
from fanin.report.profile.depth import folded, pattern
from fanin.report.profile.text import LANE, MARKS, NAME, WIDTH, Lane, marked, named, printed, root_of

STYLES = {"error": "red", "warning": "yellow", "info": "cyan"}
_SIGNS = {"error": "✗", "warning": "!", "info": "✓"}
_NUMBERS = 8
_LABEL = 9
_INDENT = 2


def render(record: DiagnosisRecord) -> RenderableType:
    """Return a diagnosis as something that Rich prints, no wider than 80 columns.

    Args:
        record: What a diagnosis says.
    """
    model, done = (tied(plain(words)) for words in rows.about(record))
    title = Text.assemble((plain(record["model"]), "bold"), "  ", (model, "dim"), overflow="fold")
    parts: list[RenderableType] = [title, Text(done, style="dim"), Text(), _verdict(record)]
    if dead := rows.born_dead(record):
        parts.append(Text(tied(dead), style="yellow" if record["born_dead"] else "dim"))
    for finding in record["findings"]:
        parts += [Text(), *_finding(finding, record["layers"])]
    if record["layers"]:
        lanes = _lanes(record["layers"])
        parts += [Text(), _table(record, lanes), Text(_legend(lanes), style="dim")]
    notes = [Text(tied(plain(note)), style="yellow") for note in record["notes"]]
    return Constrain(Group(*parts, *([Text()] if notes else []), *notes), WIDTH)


def _verdict(record: DiagnosisRecord) -> Text:
    worst = record["findings"][0]["severity"] if record["findings"] else "info"
    text = f"{_SIGNS[worst]} {plain(rows.verdict(record))}"
    style = "bold green" if worst == "info" else f"bold {STYLES[worst]}"
    shown = text if len(text) <= WIDTH else f"{text[: WIDTH - 1].rstrip(' ,;')}…"
    return Text(shown, style=style, no_wrap=True, overflow="ellipsis")


def _finding(finding: FindingRecord, layers: Sequence[LayerRecord]) -> Iterator[RenderableType]:
    severity, style = finding["severity"], STYLES[finding["severity"]]
    head = Text.assemble((severity, style), " ", (finding["code"], "bold"), f" {finding['name']}")
    yield head.append(f" at {plain(rows.heading(finding, layers))}")
    yield Padding(Text(tied(plain(finding["message"]))), (0, 0, 0, _INDENT))
    body = Table.grid(padding=(0, 1, 0, 0))
    body.add_column(width=_INDENT - 1)
    body.add_column(width=_LABEL, style="dim")
    body.add_column(width=WIDTH - _LABEL - _INDENT - 1)
    for label, text in _details(finding):
        body.add_row("", label, Text(tied(plain(text)), overflow="fold"))
    yield body


def _details(finding: FindingRecord) -> Iterator[tuple[str, str]]:
    if finding["expected"]:
        yield "expected", finding["expected"]
    if finding["fix"]:
        yield "fix", finding["fix"]["text"]
    if place := rows.written(finding["source"]):
        yield "class", place
    for number, one in enumerate(finding["consequences"]):
        yield "" if number else "hence", rows.consequence(one)


def _lanes(layers: Sequence[LayerRecord]) -> dict[str, Lane]:
    scales = [_scales(layer) for layer in layers]
    return {way: Lane([one[way] for one in scales]) for way in MARKS}


def _scales(layer: LayerRecord) -> dict[str, float | None]:
    gradient = layer["gradient"]
    return {"forward": layer["output"]["scale"], "backward": None if gradient is None else gradient["scale"]}


def _legend(lanes: dict[str, Lane]) -> str:
    names = {"forward": "output", "backward": "gradient"}
    known = [f"{MARKS[way]} {name} {lanes[way]}" for way, name in names.items() if not lanes[way].empty]
    return f"{', '.join(known)}: √E[x²] on log scales." if known else ""


def _table(record: DiagnosisRecord, lanes: dict[str, Lane]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("layer", no_wrap=True, width=NAME)
    table.add_column("output", no_wrap=True, width=_NUMBERS)
    table.add_column("gradient", no_wrap=True, width=_NUMBERS)
    table.add_column("", no_wrap=True, width=LANE)
    table.add_column("", overflow="fold", width=WIDTH - NAME - LANE - 2 * _NUMBERS - 4)
    shown, grave = rows.table(record), touched(record)
    hidden = {fold.start: fold for fold in folded([_kind(row) for row in shown])}
    root = root_of([row.name for row in shown])
    place = 0
    while place < len(shown):
        if fold := hidden.get(place):
            table.add_row(Text(_more(fold.stop - fold.start, fold.period), style="dim"))
            place = fold.stop
            continue
        row, layer = shown[place], record["layers"][place]
        cells = (named(row.name.removeprefix(root), row.kind), Text(row.output), Text(row.gradient))
        told = _told(row, record["findings"], grave.get(place))
        table.add_row(*cells, Text(marked(_scales(layer), lanes)), told)
        place += 1
    return table


def _kind(row: rows.Row) -> tuple[object, ...]:
    """Return what is the same in blocks that repeat: names but for numbers, types, and what stands out."""
    return pattern(row.name), row.kind, row.codes, tuple(flag.partition(" ")[0] for flag in row.flags)


def _more(count: int, period: int) -> str:
    return f"⋮ {count // period}{'' if period == 1 else f' × {period}'} more layers"


def _told(row: rows.Row, findings: Sequence[FindingRecord], severity: str | None) -> Text:
    """Return the codes of the findings at a layer, and what stands out in it."""
    by_code = {finding["code"]: STYLES[finding["severity"]] for finding in findings}
    parts = [Text(code, style=f"bold {by_code[code]}") for code in row.codes]
    style = STYLES[severity] if severity else "dim"
    if row.flags:
        whole = (flag.replace(" ", "\N{NO-BREAK SPACE}") for flag in row.flags)
        parts.append(Text(", ".join(whole), style=style))
    return Text(" ").join(parts)


def plain_text(record: DiagnosisRecord) -> str:
    """Return a diagnosis as text of at most 80 columns."""
    return printed(render(record))
