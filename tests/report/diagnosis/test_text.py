"""Diagnoses in the terminal, letter by letter; `FANIN_UPDATE_GOLDEN=1 pytest` writes them anew."""

import os
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from diagnoses import blocks, diagnosis, evil, finding, layer, mlp, several, unmade, vanishing
from fanin.rules.vitals import Input, Output, Spread

GOLDEN = Path(__file__).parents[2] / "golden" / "diagnosis"
LONG = "a.very.long.path.to.some.layer.in.a.deep.model.with.many.parts.and.then.some.more"

SHOWN = {
    "healthy": mlp(3, 1.0),
    "note": mlp(3, 1.0, [finding("OUT103", "class-prior", "info", "4")]),
    "vanishing": vanishing(),
    "several": several(),
    "blocks": blocks(12, [finding("RES101", "growing-stream", "warning", "h.0")]),
    "fault-inside": blocks(12, [finding("FWD102", "exploding-forward-signal", where="h.7.up")]),
    "unmade": unmade(),
    "seeds": mlp(2, known=3, born_dead=0.45, seeds=20, model="Net\x1b[31m"),
    "no-loss": mlp(
        2,
        output=Output(Spread(0, 1, 3), (8, 3)),
        target=None,
        inputs=(Input("x", (8, 20), Spread(0, 1, 3), described=True), Input("ids", (8,), Spread(5, 1, 9))),
    ),
    "long": diagnosis(
        [
            layer(LONG, 12345.678, None, type_="Convolution"),
            layer("encoder.layers.encoder_layer_0.ln_1"),
            layer("encoder.layers.encoder_layer_0.mlp.0"),
            layer("functional/block_7/dense_1"),
        ],
        [finding(where=LONG)],
    ),
    "nowhere": diagnosis([], [finding("OUT101", "high-initial-loss", where="")]),
    "evil": evil(),
}


@pytest.mark.parametrize("name", SHOWN)
def test_text_is_as_it_was(name):
    text = str(SHOWN[name]) + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("FANIN_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_the_verdict_is_one_line():
    for shown in SHOWN.values():
        paragraphs = str(shown).split("\n\n")
        assert paragraphs[1][0] in "✓!✗"
        assert len(paragraphs[1].splitlines()) == (2 if "born dead" in paragraphs[1] else 1)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_terminals_of_any_width(width):
    console = Console(
        width=width, file=StringIO(), color_system="truecolor", force_terminal=True, record=True
    )
    for shown in SHOWN.values():
        console.print(shown)
    printed = console.export_text(styles=False)
    assert max(map(len, printed.splitlines())) <= min(width, 80)
