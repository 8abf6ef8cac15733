"""Profiles in the terminal, letter by letter; `FANIN_UPDATE_GOLDEN=1 pytest` writes them anew."""

import os
from pathlib import Path

import pytest

from profiles import blocks, broken, layer, mlp, profile

GOLDEN = Path(__file__).parents[2] / "golden" / "profile"

SHOWN = {
    "mlp": mlp(5),
    "one": profile([layer("only", 1.0)]),
    "blocks": blocks(12, notes=("a note",)),
    "turns": mlp(40, factor=0.999, growth=1.0),
    "broken": broken(),
    "empty": profile([]),
    "names": profile(
        [
            layer("a.very.long.path.to.some.layer.in.a.deep.model", 12345.678, 1.2e-30),
            layer("x\x1b[31m\n", 1.0, 1.0, kind="Evil[bold]"),
            layer("zero", 0.0, 0.0),
        ],
        model="Net\x1b[31m",
    ),
    "measured": mlp(3, source="measured", notes=("5 networks of he_normal, 1 batch each",)),
    "comparison": mlp(5).compare(mlp(5, factor=0.45, source="measured")),
    "missing": broken().compare(profile([layer("first", 1.01, 2.0)], source="measured")),
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
