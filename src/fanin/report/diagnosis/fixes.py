"""What fixes changed, in the terminal: before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from fanin.report.diagnosis.text import STYLES
from fanin.report.numbers import plain, significant, tied
from fanin.report.profile.text import WIDTH

_WORDS = {
    "gone": ("✓", "green", "is gone"),
    "left": ("✗", "red", "is still there"),
    "new": ("!", "yellow", "is new"),
}


def render(record: dict[str, Any]) -> RenderableType:
    """Return what fixes changed as something that Rich prints, no wider than 80 columns.

    Args:
        record: What a report of fixes says.
    """
    parts: list[RenderableType] = [Text("Tried on a copy, and measured again", style="bold")]
    parts += [Text(f"  {tied(plain(done(fix)))}") for fix in record["fixes"]]
    parts.append(Text())
    known = {one["code"]: one for side in ("after", "before") for one in record[side]["findings"]}
    for group, (sign, style, words) in _WORDS.items():
        for code in record[group]:
            name = known[code]["name"] if code in known else ""
            parts.append(Text.assemble((f"{sign} ", style), (code, "bold"), f" {name} {words}"))
    parts += [Text(), _table(record)]
    return Constrain(Group(*parts), WIDTH)


def done(fix: dict[str, Any]) -> str:
    """Return what was done, in words."""
    if fix["inputs"]:
        return "inputs standardized: (x - mean) / sd"
    where = f" for {', '.join(fix['layers'])}" if fix["layers"] else ""
    return f"weights drawn anew by {fix['scheme']}{where}"


def _table(record: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in ("", "before", "after"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, before, after in rows(record):
        table.add_row(name, before, after)
    worst = [
        (record[side]["findings"] or [{"severity": "healthy"}])[0]["severity"] for side in ("before", "after")
    ]
    table.add_row("worst finding", *(Text(one, style=STYLES.get(one, "green")) for one in worst))
    return table


def rows(record: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield a number's name, and what it was and is."""
    sides = record["before"], record["after"]
    before, after = (side["loss"]["value"] for side in sides)
    if before is not None and after is not None:
        yield "first loss", significant(before, 3), significant(after, 3)
    for name in ("output", "gradient"):
        first, then = (_ends(side["layers"], name) for side in sides)
        if first and then:
            yield f"{name} of the first and the last layer", first, then


def _ends(layers: list[dict[str, Any]], key: str) -> str | None:
    """Return the scales of the first and the last layer with weights."""
    found = [one[key]["scale"] for one in layers if one["kind"] == "weights" and one[key] is not None]
    found = [one for one in found if one is not None]
    return f"{significant(found[0], 2)} → {significant(found[-1], 2)}" if len(found) > 1 else None
