"""The result prints itself, fits the terminal and the notebook, and is plain data."""

import dataclasses
import json

import pytest

from fanin import gain
from fanin.theory.gain import Gain

KINDS = [
    "gelu",
    "relu",
    "tanh",
    "sign",
    "relu6",
    "square",
    lambda x: x if x > -0.3 else -0.3,
    lambda x: 0 * x + 3,
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1024, None])
def test_it_prints_in_80_columns(kind, width):
    text = str(gain(kind, width=width))
    assert max(map(len, text.splitlines())) <= 80
    assert text == text.rstrip()


def test_it_says_what_matters():
    text = str(gain("gelu"))
    for part in ("gelu", "1.53353", "1.07203", "1.14406", "Unstable", "50 layers of width 1024"):
        assert part in text


def test_the_notebook_gets_the_same_and_escapes_names():
    def named(x):
        return abs(x)

    named.__name__ = "<b>abs"
    html = gain(named)._repr_html_()
    assert "&lt;b&gt;abs" in html
    assert "<b>" not in html
    assert "Marginal" in html
    assert "<table>" in html


def test_it_is_frozen_and_compares():
    found = gain("silu")
    assert found == gain("swish")
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.gain = 1.0
    assert "gain=1.67653" in repr(found)


def test_to_dict_is_json_with_every_field():
    record = gain("sign").to_dict()
    assert json.loads(gain("sign").to_json()) == record
    assert record["schema"] == "fanin.gain/1"
    assert record["derivative_second_moment"] is None
    fields = {field.name for field in dataclasses.fields(Gain)}
    assert record.keys() == fields | {"schema"}
    assert len(record["drift"]["low"]) == record["drift"]["depth"] + 1 == 51
