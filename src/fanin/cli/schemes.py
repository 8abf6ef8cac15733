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
    entry = CATALOGUE.get(scheme.name)  # a sum has none
    return {
        "name": scheme.name,
        "summary": scheme.summary,
        "formula": scheme.formula,
        "source": scheme.source,
        "assumptions": scheme.assumptions,
        "arguments": {**(entry.defaults if entry else {}), **dict(scheme.arguments)},
        "decides": list(scheme.places),
        "needs": list(scheme.needs),
        "aliases": [alias for alias, target in ALIASES.items() if target == scheme.name],
    }


def _table() -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from fanin.schemes.catalogue import families

    parts: list[Any] = []
    for title, entries in families().items():
        table = Table.grid(padding=(0, 2, 0, 0), expand=False)
        for width in (19, 30, 27):
            table.add_column(width=width, overflow="fold")
        for entry in entries:
            table.add_row(Text(entry.name), Text(entry.formula), Text(entry.source, style="dim"))
        parts += [Text(title, style="bold"), table, ""]
    return Group(*parts, Text("fanin schemes NAME shows one: arguments, assumptions, what it is for."))


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
