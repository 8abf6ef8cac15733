"""A plan as a table."""

from __future__ import annotations

import re
import string
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

WIDTH = 80
_NAME = 20
_PLACE = re.compile(r"\.\d+\.")


def plan_table(record: Mapping[str, Any]) -> Group:
    """Return what is drawn, what stays, and the notes of a plan.

    Args:
        record: The plan as plain data.
    """
    title = Text.assemble((record["scheme"], "bold"), f" for {record['source']}" if record["source"] else "")
    parts: list[Any] = [title, _drawn(record["rows"])]
    if record["untouched"]:
        parts += [Text("not touched", style="bold"), _untouched(record["untouched"])]
    return Group(*parts, *(Text(note, style="yellow") for note in record["notes"]))


def plain(renderable: Any) -> str:
    """Return anything that rich can print as plain text of 80 columns."""
    console = Console(file=StringIO(), width=WIDTH, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def html(renderable: Any) -> str:
    """Return anything that rich can print as a piece of HTML, for notebooks."""
    console = Console(record=True, file=StringIO(), width=100)
    console.print(renderable)
    return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")


def _drawn(rows: list[dict[str, Any]]) -> Group:
    table = Table(box=box.SIMPLE_HEAD, width=WIDTH, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("parameter", width=_NAME, overflow="fold")
    table.add_column("shape", overflow="fold", max_width=12)
    for name in ("fan_in", "fan_out"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("drawn from", ratio=1, overflow="fold")
    table.add_column("sd", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, style="dim")
    marks: dict[str, str] = {}
    for name, row in _folded((row["parameter"]["name"], row) for row in rows):
        mark = marks.setdefault(row["reason"], _mark(len(marks)))
        table.add_row(
            _named(name, row["parameter"]["roles"]),
            _size(row["parameter"]["shape"]),
            _number(row["fan_in"]),
            _number(row["fan_out"]),
            Text(describe(row["distribution"])),
            f"{row['sd']:.4g}",
            mark,
        )
    reasons = Table.grid(padding=(0, 1))
    for reason, mark in marks.items():
        reasons.add_row(Text(mark, style="dim"), Text(reason))
    return Group(table, reasons, "")


def _named(name: str, roles: Iterable[str]) -> Text:
    lines = textwrap.wrap(", ".join(roles), _NAME - 2)
    return Text.assemble(_broken(name, _NAME), *((f"\n  {line}", "italic dim") for line in lines))


def _mark(place: int) -> str:
    return string.ascii_lowercase[place] if place < 26 else str(place)


def _broken(name: str, width: int) -> str:
    r"""Return a path with line breaks at its dots, so that no line is wider than it must be.

    Example:
        >>> _broken("encoder.layers.*.self_attn.in_proj_weight", 26)
        'encoder.layers.*.\n  self_attn.in_proj_weight'
    """
    lines = [""]
    for part in re.findall(r"[^./]*[./]?", name):
        if len(lines[-1]) + len(part) > width and lines[-1].strip():
            lines.append("  ")
        lines[-1] += part
    return "\n".join(lines)


def _untouched(kept: list[dict[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE, width=WIDTH, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(ratio=1, overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(max_width=36)
    for name, part in _folded((part["name"], part) for part in kept):
        table.add_row(Text(f"  {name}"), _size(part["shape"]), Text(part["reason"]))
    return table


def _folded(named: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what has the same name in every block once, with a star in the place of the block."""
    groups: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {}
    for name, row in named:
        groups.setdefault((_PLACE.sub(".*.", name), _contents(row)), []).append((name, row))
    for (pattern, _), members in groups.items():
        name, row = members[0]
        yield (f"{pattern} ({len(members)})" if len(members) > 1 else name), row


def _contents(row: dict[str, Any]) -> str:
    """Return what makes two rows the same to a reader."""
    shape = row["parameter"]["shape"] if "parameter" in row else row["shape"]
    tie = _PLACE.sub(".*.", row["reason"])
    return f"{shape} {row.get('distribution')} {tie}"


def _size(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "()"


_OF_A_KERNEL = {"Paired": "in pairs", "ICNR": "copied"}
"""Distributions that are made of another one, in words."""


def describe(distribution: Mapping[str, Any]) -> str:
    """Return a distribution's record in a few signs.

    Example:
        >>> describe({"kind": "Uniform", "low": -0.5, "high": 0.5})
        'U(+-0.5)'
    """
    record = dict(distribution)
    kind = record.pop("kind")
    if kind == "Constant":
        return f"{record['value']:g}"
    if kind == "Normal":
        return f"N({record['mean']:g}, {record['sd']:.4g}^2)"
    if kind == "Uniform":
        low, high = record["low"], record["high"]
        return f"U(+-{high:.4g})" if low == -high else f"U({low:.4g}, {high:.4g})"
    if kind == "TruncatedNormal":
        return f"N({record['mean']:g}, {record['sd']:.4g}^2) {_cut(record)}sd"
    if kind == "PerGate":
        return " | ".join(describe(gate) for gate in record["gates"])
    if kind in _OF_A_KERNEL:
        return f"{describe(record['kernel'])} {_OF_A_KERNEL[kind]}"
    return f"{kind}({', '.join(map(_shown, record.values()))})"


def _shown(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value)
    return f"{len(value)} values" if isinstance(value, list | tuple) else f"{value:.4g}"


def _cut(record: Mapping[str, Any]) -> str:
    low, high = record["low"], record["high"]
    return f"+-{high:g}" if low == -high else f"[{low:g}, {high:g}]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
