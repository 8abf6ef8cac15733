"""Which findings are wanted, and what a diagnosis makes of itself."""

import json

import pytest

from diagnoses import EVIL, diagnosis, evil, finding, layer, mlp, several, vanishing
from fanin.errors import FaninError
from fanin.rules.diagnosis import Choice, UnhealthyError, diagnose


@pytest.mark.parametrize(
    ("pattern", "codes", "where", "ignored"),
    [
        ("head", ("OUT101",), "head", True),
        ("head", ("OUT",), "head", True),
        ("head", ("high-initial-loss",), "head", True),
        ("head", ("FWD",), "head", False),
        ("head", ("ALL",), "head.weight", True),
        ("head", ("ALL",), "header", False),
        ("Head", ("ALL",), "head", False),
        ("head.*", ("ALL",), "head", False),
        ("blocks.*", ("OUT101",), "blocks.3.up.weight", True),
        ("blocks.?", ("OUT101",), "blocks.3.up.weight", True),
        ("blocks.*.up", ("OUT101",), "blocks.3.down", False),
        ("conv", ("OUT101",), "conv#2", True),
        ("blocks.*.up", ("OUT101",), "blocks/3/up/kernel", True),
        ("net/head", ("OUT101",), "net/head/kernel", True),
        ("net/head", ("OUT101",), "net/header", False),
        ("input *", ("OUT101",), "input 0", True),
        ("*", ("OUT101",), "input 0", True),
    ],
)
def test_layers_are_ignored_with_what_is_in_them(pattern, codes, where, ignored):
    made = Choice(layers={pattern: codes})
    assert made.ignores(finding("OUT101", "high-initial-loss", where=where)) == ignored


@pytest.mark.parametrize(
    "wrong", [{"select": ("FWD9",)}, {"ignore": ("nothing",)}, {"layers": {"head": ("FWD9",)}}]
)
def test_a_choice_of_no_rule_is_said_at_once(wrong):
    with pytest.raises(FaninError, match="There is no rule"):
        Choice(**wrong)


def test_known_findings_are_counted_and_ignored_ones_are_not():
    vitals = mlp(5, 0.05).vitals
    (found,) = diagnose(vitals, Choice(select=("FWD101", "BWD101"))).findings
    assert (found.code, found.where, len(found.consequences)) == ("FWD101", "0", 1)
    known = diagnose(vitals, Choice(select=("FWD101", "BWD101"), known=frozenset({("FWD101", "0")})))
    assert (known.findings, known.known, known.ok) == ((), 1, True)
    ignored = diagnose(vitals, Choice(select=("FWD101", "BWD101"), layers={"0": ("FWD",)}))
    assert (ignored.findings, ignored.known) == ((), 0)
    elsewhere = diagnose(vitals, Choice(select=("FWD101", "BWD101"), known=frozenset({("FWD101", "2")})))
    assert (len(elsewhere.findings), elsewhere.known) == (1, 0)
    assert elsewhere.past == (("FWD101", "2"),)  # it was there once
    assert not known.past
    unasked = diagnose(vitals, Choice(select=("BWD101",), known=frozenset({("FWD101", "2")})))
    assert not unasked.past


def test_the_gravest_come_first_and_the_rest_as_they_were():
    assert [one.code for one in several().findings] == ["INP101", "SAT101", "SET103", "SAT104", "OUT103"]
    assert several().worst == "error"
    assert [one.code for one in several().at_least("warning")] == ["INP101", "SAT101", "SET103", "SAT104"]


def test_raise_for():
    mlp(3, 1.0).raise_for("info")
    with pytest.raises(UnhealthyError, match="Net is not healthy at step 0: FWD101") as raised:
        vanishing().raise_for()
    assert raised.value.exit_code == 1
    assert str(raised.value).count("keeps second moments") <= 1
    with pytest.raises(FaninError, match="'fatal' is no severity"):
        vanishing().raise_for("fatal")


def test_json_is_strict_and_written(tmp_path):
    text = vanishing().to_json(tmp_path / "found.json")
    assert (tmp_path / "found.json").read_text(encoding="utf-8") == text
    record = json.loads(text)
    assert record == vanishing().to_dict()
    assert record["findings"][0]["evidence"]["total"] is None  # it was infinite
    with pytest.raises(FaninError, match="cannot be written"):
        vanishing().to_json(tmp_path / "no" / "found.json")


def test_html_is_written(tmp_path):
    path = vanishing().to_html(tmp_path / "found.html")
    text = path.read_text(encoding="utf-8")
    assert "About FWD101" in text
    assert "vanishing forward signal" in text
    with pytest.raises(FaninError, match="cannot be written"):
        vanishing().to_html(tmp_path / "no" / "found.html")


def test_it_prints_itself():
    assert str(vanishing()).startswith("Net  torch")
    assert "FWD101" in vanishing()._repr_html_()
    assert EVIL not in str(evil())


def test_findings_without_layers():
    shown = diagnosis([layer("0")], [finding("INP105", "unscaled-targets", where="targets")])
    assert "at targets" in str(shown)
