"""The terminal's output, letter by letter; `FANIN_UPDATE_GOLDEN=1 pytest tests/report` writes it anew."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

import records
from fanin.report.comparison import text

GOLDEN = Path(__file__).parents[2] / "golden"

NAMES = [
    "[red]x[/]",
    "<script>alert(1)</script>",
    "重みの初期化、正規分布",
    "a scheme with a long name, normal(stddev=0.0123456789) x 1.4142135623730951",
    "e\x1b[31mscape\n",
]

RECORDS = {
    "winner": records.comparison(["zeros", "glorot_normal", "he_normal"], 100),
    "undecided": records.comparison(4, 100),
    "exploratory": records.comparison(4, 3),
    "failures": records.comparison(4, 40, diverging={"he_normal": 0.3, "zeros": 1.0}),
    "lower-is-better": records.comparison(4, 30, metric="val_loss", target=None),
    "names": records.comparison(NAMES, 20),
    "twelve": records.comparison(12, 20, control=False),
    "one": records.comparison(1, 20, epochs=1),
    "nothing-finite": records.empty(),
}


def printed(record, width=80, **options):
    console = Console(width=width, **{"color_system": None} | options)
    with console.capture() as capture:
        console.print(text.render(record))
    return capture.get()


@pytest.mark.parametrize("name", RECORDS)
def test_output_is_as_recorded(name):
    path, shown = GOLDEN / f"{name}.txt", printed(RECORDS[name])
    if os.environ.get("FANIN_UPDATE_GOLDEN"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


def test_every_recorded_file_belongs_to_a_record():
    assert {path.stem for path in GOLDEN.glob("*.txt")} >= set(RECORDS)


@pytest.mark.parametrize("name", RECORDS)
def test_no_line_is_wider_than_the_terminal(name):
    for width in (80, 120):
        assert max(cell_len(line) for line in printed(RECORDS[name], width).splitlines()) <= 80


@pytest.mark.parametrize("name", RECORDS)
def test_the_verdict_comes_first_and_then_the_ranking(name):
    verdict = " ".join(text.plain(RECORDS[name]["verdict"]).split())
    first, second, *_ = printed(RECORDS[name]).split("\n\n")
    assert first.replace("\n", "").replace(" ", "") == verdict.replace(" ", "")
    assert "ranked by" in second
    assert "IQM" in second


def test_each_scheme_has_the_line_of_the_study():
    shown = printed(RECORDS["winner"])
    for row in RECORDS["winner"]["ranking"]:
        line = next(line for line in shown.splitlines() if line.startswith(f"Initializer: {row['scheme']} "))
        assert f"Test Loss: {row['final']['val_loss']:.4f}" in line
        assert f"Test Accuracy: {row['final']['val_accuracy']:.4f}" in line


def test_markup_is_text():
    shown = printed(RECORDS["names"], color_system="truecolor", force_terminal=True)
    assert "[red]x[/]" in shown
    assert "\x1b[31m" not in shown


@settings(deadline=None, max_examples=25)
@given(st.text(min_size=1, max_size=120), st.text(max_size=300))
def test_no_string_breaks_the_layout(name, verdict):
    record = records.comparison([name, "zeros"], 3) | {"verdict": verdict, "notes": [verdict]}
    shown = printed(record)
    assert max(map(cell_len, shown.splitlines())) <= 80
    assert all(letter.isprintable() for letter in shown.replace("\n", ""))
