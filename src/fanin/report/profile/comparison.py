"""Two profiles side by side: how far they agree, quantity by quantity, and where they do not."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from fanin.report.numbers import NONE, percent, plain, tied
from fanin.report.profile.record import AgreementRecord, ComparisonRecord, DifferenceRecord
from fanin.report.profile.rows import deviated, number, times
from fanin.report.profile.text import WIDTH, printed

HEADS = ("", "layers", "within 2 sd", "ratio", "worst", "step", "worst step")
_NAMES = {
    "forward.q": "q",
    "forward.mean": "mean",
    "forward.c": "c",
    "backward.q": "gradient q",
    "backward.c": "gradient c",
    "gradient": "parameters' gradients",
}
_WORST = 8
_FAR = 2.0


def render(record: ComparisonRecord) -> RenderableType:
    """Return two profiles side by side as something that Rich prints, no wider than 80 columns.

    Args:
        record: What a comparison says.
    """
    title = Text(plain(record["one"]["model"]), style="bold", overflow="fold")
    title.append(f"  {sources(record)}", style="not bold dim")
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for head in HEADS:
        grid.add_column(head, no_wrap=True)
    for cells in table(record):
        grid.add_row(*map(Text, cells))
    said = [Text(tied(plain(words))) for words in sentences(record)]
    parts: list[RenderableType] = [title, Text(), grid, Text(), *said]
    far = worst(record)
    if far:
        parts += [Text(), _differences(far, record)]
    return Constrain(Group(*parts), WIDTH)


def plain_text(record: ComparisonRecord) -> str:
    """Return two profiles side by side as text of at most 80 columns."""
    return printed(render(record))


def sources(record: ComparisonRecord) -> str:
    """Return what is beside what."""
    return f"{record['one']['source']} and {record['other']['source']}"


def table(record: ComparisonRecord) -> list[tuple[str, ...]]:
    """Return a row for each quantity."""
    return [_row(found) for found in record["agreement"]]


def _row(found: AgreementRecord) -> tuple[str, ...]:
    factors = (times(value) if value is not None else "" for value in (found["ratio"], found["worst"]))
    steps = (times(value) if value is not None else "" for value in (found["step"], found["worst_step"]))
    within = "" if found["within"] is None else percent(found["within"])
    return _NAMES[found["quantity"]], str(found["count"]), within, *factors, *steps


def sentences(record: ComparisonRecord) -> list[str]:
    """Return what the columns mean, and what is missing."""
    one, other = record["one"]["source"], record["other"]["source"]
    what = f"{other} over {one}" if one != other else "the second over the first"
    found = [
        f"Ratio: {what}, the median and the one farthest from 1. Step: by how much the ratio changes from "
        "one layer to the next, whichever way."
    ]
    q = next((row for row in record["agreement"] if row["quantity"] == "forward.q"), None)
    if q is not None and q["where"]:
        found.append(f"The largest step of q is at {q['where']}.")
    if record["missing"]:
        first, *rest = record["missing"]
        more = f" and {len(rest)} more {'layer' if len(rest) == 1 else 'layers'}" if rest else ""
        found.append(f"Not known in both: {first}{more}.")
    return found


def worst(record: ComparisonRecord) -> list[DifferenceRecord]:
    """Return the second moments that differ by more than two standard deviations, the farthest first."""
    found = [
        one
        for one in record["differences"]
        if one["quantity"] in ("forward.q", "backward.q") and (one["sigmas"] or 0.0) > _FAR
    ]
    return sorted(found, key=lambda one: -(one["sigmas"] or 0.0))[:_WORST]


def _differences(found: list[DifferenceRecord], record: ComparisonRecord) -> Table:
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    grid.add_column("farthest apart", no_wrap=True, max_width=26)
    for head in ("", record["one"]["source"], record["other"]["source"], "ratio", "sd"):
        grid.add_column(head, no_wrap=True)
    for one in found:
        ratio = NONE if one["ratio"] is None else times(one["ratio"])
        cells = (_NAMES[one["quantity"]], deviated(one["one"]), deviated(one["other"]), ratio)
        grid.add_row(Text(plain(one["name"])), *map(Text, cells), Text(number(one["sigmas"] or 0.0)))
    return grid
