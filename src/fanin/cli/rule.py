"""`fanin rule`: what checks look for, and the page of one rule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fanin.report.diagnosis.record import RuleRecord

_WIDTH = 80


@click.command("rule")
@click.argument("code", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--markdown", is_flag=True, help="Print all pages as one document.")
def command(code: str | None, as_json: bool, markdown: bool) -> None:
    """List the rules, or show the page of CODE: what it checks, why, and what to do instead.

    CODE is that of a rule, such as FWD101, or its name, such as vanishing-forward-signal.
    """
    from fanin.errors import FaninError
    from fanin.report.diagnosis.pages import document
    from fanin.rules.catalogue import FAMILIES, rule
    from fanin.rules.records import rule_record, rule_records

    if markdown and (code or as_json):
        raise FaninError("--markdown prints all rules.", fix="leave the rest out")
    records = [rule_record(rule(code))] if code else rule_records()
    if as_json:
        click.echo(json.dumps(records, indent=1))
    elif markdown:
        click.echo(document(FAMILIES, records), nl=False)
    else:
        from rich.console import Console

        Console(highlight=False).print(_page(records[0]) if code else _table(FAMILIES, records))


def _table(families: dict[str, str], records: Sequence[RuleRecord]) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = []
    for family, about in families.items():
        table = Table.grid(padding=(0, 1, 0, 0), expand=False)
        for width in (6, 24, 47):
            table.add_column(width=width, overflow="fold")
        for record in records:
            if record["family"] == family:
                cells = (record["code"], record["name"], record["summary"])
                table.add_row(*map(Text, cells))
        parts += [Text.assemble((family, "bold"), f" {about}"), table, ""]
    return Group(*parts, Text("fanin rule CODE shows one: what it checks, why, and what to do instead."))


def _page(record: RuleRecord) -> Any:
    from rich.console import Group
    from rich.constrain import Constrain
    from rich.markdown import Markdown
    from rich.text import Text

    from fanin.report.diagnosis.text import STYLES

    severity = (record["severity"], STYLES[record["severity"]])
    head = Text.assemble((f"{record['code']} {record['name']}", "bold"), "  ", severity)
    return Constrain(Group(head, Text(), Markdown(record["page"])), _WIDTH)
