"""A profile as an HTML page that needs no network, or in a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fanin.errors import FaninError
from fanin.report import page as pages
from fanin.report.look import PAGE
from fanin.report.numbers import plain
from fanin.report.profile import charts, comparison, depth, rows
from fanin.report.profile.record import ComparisonRecord, ProfileRecord

_PIXELS = 7  # of a layer, at least


def page(record: ProfileRecord, beside: ComparisonRecord | None = None) -> str:
    """Return a page with charts and tables.

    Args:
        record: What a profile says.
        beside: It and another one, shown as points and in a table of their own.
    """
    other = None if beside is None else beside["other"]
    data = charts.datasets(record, other)
    drawn = [name for name in charts.PANELS if data[name]]
    return pages.render(
        "profile/page.html.j2",
        charts={name: charts.panel(name, data, PAGE) for name in drawn},
        data=data,
        headline=rows.headline(record),
        panels=[(name, charts.PANELS[name]) for name in drawn],
        height=charts.HEIGHT,
        width=max(480, _PIXELS * len(depth.shown(record))),
        legend=charts.legend(record, other),
        agreement=None if beside is None else comparison.table(beside),
        said=[] if beside is None else [plain(words) for words in comparison.sentences(beside)],
        **_context(record),
    )


def fragment(record: ProfileRecord) -> str:
    """Return a profile as a piece of HTML that brings its own style.

    Args:
        record: What a profile says.
    """
    return pages.environment().get_template("profile/fragment.html.j2").render(**_context(record))


def comparison_fragment(record: ComparisonRecord) -> str:
    """Return two profiles side by side as a piece of HTML that brings its own style."""
    context = _context(record["one"]) | {
        "heads": comparison.HEADS,
        "layers": [(row, "") for row in comparison.table(record)],
        "sentences": [plain(words) for words in comparison.sentences(record)],
        "reasons": [],
    }
    return pages.environment().get_template("profile/fragment.html.j2").render(**context)


HEADS = ("layer", "type", "shape", "q", "mean", "c", "gradient q", "χ₁")


def _context(record: ProfileRecord) -> dict[str, Any]:
    found = [rows.row(layer) for layer in depth.shown(record)]
    return {
        "name": plain(record["model"]),
        "origin": rows.source(record),
        "about": plain(rows.about(record)),
        "sentences": [plain(words) for words in rows.summary(record)],
        "reasons": [plain(words) for words in (*rows.reasons(record), *record["notes"])],
        "heads": HEADS,
        "layers": [(tuple(map(plain, row[:8])), plain(row.unknown)) for row in found],
        "parameters": [tuple(map(plain, rows.parameter_row(one))) for one in record["parameters"]],
    }


def write(path: str | Path, content: str) -> Path:
    """Write a file.

    Raises:
        FaninError: It cannot be written.
    """
    try:
        Path(path).write_text(content, encoding="utf-8")
    except OSError as error:
        raise FaninError(
            f"{path} cannot be written: {error.strerror}.", expected="a file in a folder that exists"
        ) from error
    return Path(path)
