"""A diagnosis as an HTML page that needs no network, or in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from fanin.report import page as pages
from fanin.report.diagnosis import charts, fixes, rows
from fanin.report.diagnosis.pages import as_html
from fanin.report.diagnosis.places import touched
from fanin.report.diagnosis.record import DiagnosisRecord, FindingRecord, RuleRecord
from fanin.report.look import PAGE
from fanin.report.numbers import plain, significant

HEADS = ("layer", "type", "shape", "output", "largest", "gradient", "cosine", "")
_PIXELS = 12  # of a layer, at least


class Card(NamedTuple):
    """A finding.

    Args:
        severity: How grave it is.
        code: The rule's code.
        name: The rule's name.
        where: Path and type of the layer.
        message: What is wrong.
        details: More, by label.
        consequences: What follows from it, each in a line with its message.
        page: The rule's page, paragraph by paragraph.
    """

    severity: str
    code: str
    name: str
    where: str
    message: str
    details: list[tuple[str, str]]
    consequences: list[tuple[str, str]]
    page: list[Markup]


def page(
    record: DiagnosisRecord, rules: Sequence[RuleRecord] = (), tried: Mapping[str, Any] | None = None
) -> str:
    """Return a page with the findings, charts and a table.

    Args:
        record: What a diagnosis says.
        rules: Rules whose pages are shown with their findings.
        tried: What a report of fixes says, of fixes that were tried.
    """
    data = charts.datasets(record)
    drawn = [name for name in charts.PANELS if data[name]]
    return pages.render(
        "diagnosis/page.html.j2",
        charts={name: charts.panel(name, data, PAGE) for name in drawn},
        data=data,
        panels=[(name, charts.PANELS[name]) for name in drawn],
        height=charts.HEIGHT,
        tried=None if tried is None else _tried(dict(tried)),
        width=max(480, _PIXELS * len(record["layers"])),
        **_context(record, {rule["code"]: rule["page"] for rule in rules}),
    )


def _tried(record: dict[str, Any]) -> dict[str, Any]:
    """Return what was tried, what became of findings, and numbers before and after."""
    numbers = [*fixes.rows(record), ("worst finding", *fixes.worst(record))]
    return {
        "title": fixes.TITLE,
        "done": [plain(fixes.done(one)) for one in record["fixes"]],
        "changes": list(fixes.changes(record)),
        "numbers": numbers,
    }


def fragment(record: DiagnosisRecord) -> str:
    """Return a diagnosis as a piece of HTML that brings its own style.

    Args:
        record: What a diagnosis says.
    """
    return pages.environment().get_template("diagnosis/fragment.html.j2").render(**_context(record, {}))


def _context(record: DiagnosisRecord, texts: Mapping[str, str]) -> dict[str, Any]:
    model, done = rows.about(record)
    return {
        "name": plain(record["model"]),
        "about": plain(model),
        "done": plain(done),
        "verdict": plain(rows.verdict(record)),
        "worst": record["findings"][0]["severity"] if record["findings"] else "",
        "cards": [_card(one, record, texts.get(one["code"], "")) for one in record["findings"]],
        "notes": [plain(note) for note in (rows.born_dead(record), *record["notes"]) if note],
        "heads": HEADS,
        "layers": _layers(record),
    }


def _card(finding: FindingRecord, record: DiagnosisRecord, page: str) -> Card:
    details = [
        ("expected", finding["expected"]),
        ("fix", finding["fix"]["text"] if finding["fix"] else ""),
        ("class", rows.written(finding["source"])),
    ]
    follows = [(rows.consequence(one), one["message"]) for one in finding["consequences"]]
    return Card(
        finding["severity"],
        finding["code"],
        finding["name"],
        plain(rows.heading(finding, record["layers"])),
        plain(finding["message"]),
        [(label, plain(text)) for label, text in details if text],
        [(plain(what), plain(message)) for what, message in follows],
        as_html(page),
    )


def _layers(record: DiagnosisRecord) -> list[tuple[tuple[str, ...], str]]:
    grave = touched(record)
    found = []
    for place, (row, layer) in enumerate(zip(rows.table(record), record["layers"], strict=True)):
        largest = significant(layer["output"]["largest"], 3)
        told = ", ".join((*row.codes, *row.flags))
        cells = (row.name, row.kind, row.shape, row.output, largest, row.gradient, row.similarity, told)
        found.append((tuple(map(plain, cells)), grave.get(place, "")))
    return found
