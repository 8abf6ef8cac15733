"""Annotations: a line each, which nothing in a name can break or forge."""

from pathlib import Path
from urllib.parse import unquote

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from diagnoses import diagnosis, evil, finding, layer, mlp, several
from fanin.report.diagnosis.github import command, lines
from fanin.rules.vitals import Source

ROOT = Path("/project").resolve()
HOME = {"file": str(ROOT / "net.py"), "line": 12}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def shown(made, home=HOME):
    return lines(made.to_dict(), ROOT, home)


def test_an_annotation():
    found = finding(source=Source(str(ROOT / "src" / "net.py"), 7), fix=None)
    assert shown(diagnosis([layer("0")], [found])) == [
        "::error file=src/net.py,line=7,title=FWD101 vanishing-forward-signal::"
        "0: What vanishing forward signal is about: 0.41 a layer.%0AExpected: 0.8 to 1.25 a layer."
    ]


def test_severities_are_levels_and_nothing_is_nothing():
    levels = [line.split(" ")[0] for line in shown(several())]
    assert levels == ["::error", "::error", "::warning", "::warning", "::notice"]
    assert shown(mlp(3, 1.0)) == []


def test_what_is_in_nobodys_file_is_where_the_model_is_made():
    found = finding(source=Source(torch.nn.modules.linear.__file__, 53))
    made = diagnosis([layer("0")], [found])
    assert shown(made)[0].startswith("::error file=net.py,line=12,")
    assert shown(made, None)[0].startswith("::error title=")
    elsewhere = {"file": "/elsewhere/net.py", "line": 0}
    assert shown(made, elsewhere)[0].startswith("::error file=/elsewhere/net.py,line=1,")


def test_an_attack_stays_one_line():
    (line,) = shown(evil())
    assert line.isprintable()
    assert line.count("::") == 2 + line.partition("::error ")[2].partition("::")[2].count("::")
    assert "\\x1b" not in line


def undone(text):
    """Read a text as the runner does."""
    return unquote(text)


@given(TEXTS)
def test_a_message_comes_back_as_it_was(text):
    line = command("error", {}, text)
    assert line.isprintable()
    visible = "".join(one if one.isprintable() or one in "\r\n" else "\ufffd" for one in text)
    assert undone(line.removeprefix("::error ::")) == visible


@given(TEXTS, TEXTS)
def test_properties_do_not_run_into_each_other(file, title):
    line = command("warning", {"file": file, "title": title}, "text")
    told, _, text = line.removeprefix("::warning ").rpartition("::")
    assert text == "text"
    assert ":" not in told
    pairs = [pair.partition("=") for pair in told.split(",")]
    assert [name for name, _, _ in pairs] == ["file", "title"]
    for (_, _, value), original in zip(pairs, (file, title), strict=True):
        assert undone(value) == "".join(
            one if one.isprintable() or one in "\r\n" else "\ufffd" for one in original
        )


@pytest.mark.parametrize(
    ("text", "written"),
    [("100%", "100%25"), ("a\r\nb", "a%0D%0Ab"), ("%0A", "%250A"), ("::set-env", "::set-env")],
)
def test_messages_escape_as_github_says(text, written):
    assert command("error", {}, text) == f"::error ::{written}"
