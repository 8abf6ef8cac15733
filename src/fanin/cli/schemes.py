"""`fanin schemes`: the catalogue, and the page of one scheme."""

from __future__ import annotations

import json
from typing import Any

import click


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the initialization schemes, or show the page of NAME."""
    from rich.console import Console

    from fanin.schemes.catalogue import CATALOGUE

    if as_json:
        names = [name] if name else list(CATALOGUE)
        click.echo(json.dumps([_record(item) for item in names], indent=1))
    else:
        Console(highlight=False).print(_page(name) if name else _table())


def _record(name: str) -> dict[str, Any]:
    from fanin.schemes.catalogue import ALIASES, CATALOGUE
    from fanin.schemes.parse import get_scheme

    scheme = get_scheme(name)
    return {
        "name": scheme.name,
        "summary": scheme.summary,
        "formula": scheme.formula,
        "source": scheme.source,
        "assumptions": scheme.assumptions,
        "arguments": {**CATALOGUE[scheme.name].defaults, **dict(scheme.arguments)},
        "decides": list(scheme.places),
        "needs": list(scheme.needs),
        "aliases": [alias for alias, target in ALIASES.items() if target == scheme.name],
    }


def _table() -> Any:
    from rich import box
    from rich.table import Table

    from fanin.schemes.catalogue import CATALOGUE

    table = Table(box=box.SIMPLE_HEAD, width=80, pad_edge=False)
    table.add_column("scheme", no_wrap=True)
    table.add_column("formula", ratio=1)
    table.add_column("source", ratio=1, style="dim")
    for name, entry in CATALOGUE.items():
        table.add_row(name, entry.formula, entry.source)
    return table


def _page(name: str) -> Any:
    from rich.table import Table
    from rich.text import Text

    record = _record(name)
    page = Table.grid(padding=(0, 2))
    page.title, page.title_justify = Text(record["name"], style="bold"), "left"
    arguments = ", ".join(f"{key}={value!r}" for key, value in record["arguments"].items())
    for label, value in {**record, "arguments": arguments}.items():
        if label != "name":
            shown = ", ".join(value) if isinstance(value, list) else value
            page.add_row(Text(label, style="dim"), Text(shown or "none"))
    return page
