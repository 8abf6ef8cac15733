"""A gain in a notebook."""

from __future__ import annotations

from fanin.report.gain import rows
from fanin.report.gain.record import GainRecord
from fanin.report.numbers import plain
from fanin.report.page import environment


def fragment(record: GainRecord) -> str:
    """Return a gain as a piece of HTML that brings its own style.

    Args:
        record: What a gain says.
    """
    sentences = [rows.stability(record), rows.drift(record), rows.breaks(record), *record["notes"]]
    return (
        environment()
        .get_template("gain/fragment.html.j2")
        .render(
            name=plain(record["name"]),
            source=record["source"],
            rows=rows.rows(record),
            sentences=[plain(words) for words in sentences if words],
        )
    )
