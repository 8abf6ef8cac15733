"""Mean field theory as an HTML page that needs no network, or in a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fanin.errors import FaninError
from fanin.report import page
from fanin.report.gain.rows import number
from fanin.report.look import PAGE
from fanin.report.numbers import plain
from fanin.report.phase import rows
from fanin.report.phase.record import DiagramRecord, LineRecord, MeanFieldRecord

_HEADS = ("q", "σ_w²", "σ_b²", "slope of the variance map", "")


def fragment(record: MeanFieldRecord) -> str:
    """Return mean field theory as a piece of HTML that brings its own style.

    Args:
        record: What it says.
    """
    return _fragment(**_numbers(record))


def line_fragment(record: LineRecord) -> str:
    """Return a critical line as a piece of HTML."""
    return _fragment(**_points(record))


def diagram_fragment(record: DiagramRecord) -> str:
    """Return a phase diagram in numbers as a piece of HTML; `plot()` is the picture."""
    return _fragment(**_diagram(record))


def mean_field_page(record: MeanFieldRecord) -> str:
    """Return a page with both maps.

    Args:
        record: What mean field theory says.
    """
    from fanin.report.phase import maps

    caption = (
        "What a layer makes of a variance, and of a correlation of two inputs; dots stay where they are."
    )
    return page.render(
        "phase/page.html.j2",
        charts={"chart": maps.chart(record, PAGE)},
        data=maps.datasets(record),
        headline=rows.verdict(record),
        caption=caption,
        height=maps.SIZE,
        **_numbers(record),
    )


def diagram_page(record: DiagramRecord) -> str:
    """Return a page with the phase diagram.

    Args:
        record: What the diagram says.
    """
    from fanin.report.phase import diagram

    return page.render(
        "phase/page.html.j2",
        charts={"chart": diagram.chart(record, PAGE)},
        data=diagram.datasets(record),
        headline=f"Order and chaos with {plain(record['name'])}",
        caption=f"Layers in which correlations come e times closer to their end. {diagram.subtitle(record)}",
        height=diagram.HEIGHT,
        **_diagram(record),
    )


def write(path: str | Path, content: str) -> Path:
    """Write a page.

    Raises:
        FaninError: The file cannot be written.
    """
    try:
        Path(path).write_text(content, encoding="utf-8")
    except OSError as error:
        raise FaninError(
            f"{path} cannot be written: {error.strerror}.", expected="a file in a folder that exists"
        ) from error
    return Path(path)


def _fragment(**context: Any) -> str:
    return page.environment().get_template("phase/fragment.html.j2").render(**context)


def _numbers(record: MeanFieldRecord) -> dict[str, Any]:
    sentences = [rows.verdict(record), rows.fixed_points(record), *record["notes"]]
    return {
        "name": plain(record["name"]),
        "about": rows.setting(record),
        "heads": (),
        "rows": rows.rows(record),
        "sentences": [words for words in sentences if words],
    }


def _points(record: LineRecord) -> dict[str, Any]:
    keys = ("q", "weight_variance", "bias_variance", "slope")
    return {
        "name": plain(record["name"]),
        "about": "critical line, χ₁ = 1",
        "heads": _HEADS,
        "rows": [
            (*(number(point[key]) for key in keys), point["stability"]) for point in rows.chosen(record)
        ],
        "sentences": [plain(words) for words in rows.line(record)],
    }


def _diagram(record: DiagramRecord) -> dict[str, Any]:
    words = [rows.extent(record)]
    if record["line"] is None:
        return {
            "name": plain(record["name"]),
            "about": "phase diagram",
            "heads": (),
            "rows": (),
            "sentences": words,
        }
    line = _points(record["line"])
    return line | {"about": "phase diagram", "sentences": [*line["sentences"], *words]}
