"""`fanin rule`: all rules, and the page of one."""

import json
from pathlib import Path

import pytest

from commands import invoke
from fanin.rules.catalogue import FAMILIES, RULES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_list_has_every_rule_under_its_family():
    printed = invoke("rule").stdout
    place = -1
    for family, about in FAMILIES.items():
        start = printed.index(f"{family} {about}")
        assert start > place
        place = start
    for code, rule in RULES.items():
        assert f"\n{code} {rule.name} " in printed
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("name", ["FWD101", "fwd101", "vanishing-forward-signal"])
def test_a_page_by_code_and_by_name(name):
    done = invoke(f"rule {name}")
    assert done.exit_code == 0
    assert done.stdout.startswith("FWD101 vanishing-forward-signal  error\n")
    assert "Signals shrink from layer to layer." in done.stdout
    assert "arXiv:1502.01852" in done.stdout


@pytest.mark.parametrize("code", RULES)
def test_every_page_fits_the_terminal(code):
    printed = invoke(f"rule {code}").stdout
    assert max(map(len, printed.splitlines())) <= 80
    assert "**" not in printed
    assert "`" not in printed


def test_json():
    records = json.loads(invoke("rule --json").stdout)
    assert [record["code"] for record in records] == sorted(
        RULES, key=lambda code: (list(FAMILIES).index(code.rstrip("0123456789")), list(RULES).index(code))
    )
    (record,) = json.loads(invoke("rule FWD101 --json").stdout)
    assert record["name"] == "vanishing-forward-signal"
    assert record["severity"] == "error"
    assert record["family"] == "FWD"
    assert record["page"].startswith(record["summary"])


def test_the_page_of_the_documentation_is_up_to_date():
    """`fanin rule --markdown > docs/rules.md` brings it up to date."""
    assert invoke("rule --markdown").stdout == (DOCS / "rules.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("FWD9", "There is no rule FWD9."),
        ("vanishing-forward", "fanin rule vanishing-forward-signal"),
        ("FWD101 --markdown", "--markdown prints all rules."),
        ("--json --markdown", "--markdown prints all rules."),
    ],
)
def test_bad_input(command, words):
    done = invoke(f"rule {command}")
    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stdout == ""
