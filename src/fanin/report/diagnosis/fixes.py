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

TITLE = "Tried on a copy, and measured again"
_WORDS = {"gone": "is gone", "left": "is still there", "new": "is new"}
_SIGNS = {"gone": ("✓", "green"), "left": ("✗", "red"), "new": ("!", "yellow")}


def render(record: dict[str, Any]) -> RenderableType:
    """Return what fixes changed as something that Rich prints, no wider than 80 columns.

    Args:
        record: What a report of fixes says.
    """
    parts: list[RenderableType] = [Text(TITLE, style="bold")]
    parts += [Text(f"  {tied(plain(done(fix)))}") for fix in record["fixes"]]
    parts.append(Text())
    for group, code, words in changes(record):
        parts.append(Text.assemble(_SIGNS[group], " ", (code, "bold"), f" {words}"))
    parts += [Text(), _table(record)]
    return Constrain(Group(*parts), WIDTH)


def done(fix: dict[str, Any]) -> str:
    """Return what was done, in words."""
    if fix["inputs"]:
        return "inputs standardized: (x - mean) / sd"
    where = f" for {', '.join(fix['layers'])}" if fix["layers"] else ""
    return f"weights drawn anew by {fix['scheme']}{where}"


def changes(record: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield what became of findings: its group ("gone", "left" or "new"), the code, and words."""
    names = {one["code"]: one["name"] for side in ("after", "before") for one in record[side]["findings"]}
    for group, words in _WORDS.items():
        yield from ((group, code, f"{names[code]} {words}") for code in record[group])


def _table(record: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in ("", "before", "after"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, before, after in rows(record):
        table.add_row(name, before, after)
    table.add_row("worst finding", *(Text(one, style=STYLES.get(one, "green")) for one in worst(record)))
    return table


def worst(record: dict[str, Any]) -> list[str]:
    """Return the severity of the gravest finding before and after, or "healthy"."""
    found = (record[side]["findings"] for side in ("before", "after"))
    return [one[0]["severity"] if one else "healthy" for one in found]


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
