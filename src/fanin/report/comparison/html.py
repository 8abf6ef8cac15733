"""A comparison as one HTML page that needs no network, or as a fragment for a notebook."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from fanin.report import page
from fanin.report.comparison import intervals, tables, text
from fanin.report.comparison.budget import fit
from fanin.report.numbers import fixed, plain
from fanin.report.schema import ComparisonRecord


def render(record: ComparisonRecord) -> str:
    """Return the report of a comparison: one file, below 2 MB, that a browser opens without a network.

    Args:
        record: What a comparison says.

    Returns:
        An HTML document.
    """
    from fanin.report.comparison.sections import sections  # loads Altair, which a fragment does not need

    fitted = fit(record)
    shown = sections(fitted.record)
    return page.render(
        "comparison/report.html.j2",
        charts={panel.name: panel.chart for section in shown for panel in section.panels},
        data={"record": fitted.record, "epochs": fitted.epochs},
        sections=shown,
        left_out=fitted.left_out,
        has_curves=bool(fitted.epochs),
        legend=list(enumerate(tables.schemes(record))),
        text=_as_text(record),
        command=plain(record["study"].get("command") or ""),
        about=_about(record),
        **_common(record),
    )


def fragment(record: ComparisonRecord) -> str:
    """Return the verdict and the ranking for a notebook: no script, and the notebook's own colors.

    Args:
        record: What a comparison says.

    Returns:
        An HTML element.
    """
    return page.render("comparison/fragment.html.j2", **_common(record))


def _common(record: ComparisonRecord) -> dict[str, Any]:
    """Return what the page and the fragment both say."""
    names, lines, ends = tables.schemes(record), tables.ranking(record), intervals.axis(record)
    rows = [
        {"cells": line, "colour": names.index(row["scheme"]), "span": intervals.span(row, ends)}
        for line, row in zip(lines, record["ranking"], strict=True)
    ]
    decimals = max((len(line.iqm.partition(".")[2]) for line in lines), default=2)
    study = record["study"]
    return {
        "subject": " on ".join(plain(study[key]) for key in ("builder", "data") if study.get(key)),
        "verdict": plain(record["verdict"]),
        "size": tables.size(record),
        "score_name": tables.score_name(record),
        "exploratory": record["exploratory"],
        "notes": [plain(note) for note in record["notes"]],
        "ranking_caption": tables.ranking_caption(record),
        "axis": [fixed(end, min(decimals, 3)) for end in ends],
        "ranking": rows,
        "has_effects": any(row["effect"] for row in record["ranking"]),
        "has_p": any(line.p for line in lines),
    }


# What the study's fields are called, in the order of the page; fingerprints serve the store alone.
_FIELDS = {
    "builder": "Model",
    "data": "Data",
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "optimizer": "Optimizer",
    "loss": "Loss",
    "metrics": "Metrics",
    "class_weight": "Class weights",
    "backend": "Backend",
    "id": "Study",
}


def _about(record: ComparisonRecord) -> list[tuple[str, str]]:
    study = record["study"]
    known = [(label, study.get(key)) for key, label in _FIELDS.items()]
    fields = [(label, _words(value)) for label, value in known if value not in (None, [], "")]
    environment = [(plain(key), plain(value)) for key, value in record["environment"].items()]
    return [*fields, ("Seeds", tables.seeds(record)), ("Cost", tables.speed(record)), *environment]


def _words(value: Any) -> str:
    """Return a field of the study in words; an object by its class alone."""
    if isinstance(value, dict):
        named = value.get("class") or value.get("name")
        return plain(named or ", ".join(f"{key}: {_words(item)}" for key, item in value.items()))
    return ", ".join(map(_words, value)) if isinstance(value, list | tuple) else plain(value)


def _as_text(record: ComparisonRecord) -> str:
    """Return what the terminal prints."""
    console = Console(width=text.WIDTH, file=StringIO(), record=True, color_system=None)
    console.print(text.render(record))
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())
