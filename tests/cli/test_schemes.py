import json

import pytest

from commands import invoke
from fanin.schemes.catalogue import ALIASES, CATALOGUE

FIRST = [
    *("zeros", "ones", "constant", "normal", "uniform", "truncated_normal"),
    *("glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform"),
    *("orthogonal", "identity", "torch_default"),
]


def test_the_list_has_every_scheme_with_formula_and_source():
    printed = invoke("schemes").stdout
    assert max(map(len, printed.splitlines())) <= 80
    assert [name for name in FIRST if f"\n {name} " not in printed and f"\n{name} " not in printed] == []
    flat = " ".join(printed.split())
    for part in ("2 / fan_in", "Glorot and Bengio", "He et al.", "Saxe et al.", "LeCun et al."):
        assert part in flat


def test_the_list_as_json_is_the_catalogue():
    records = json.loads(invoke("schemes --json").stdout)
    assert sorted(record["name"] for record in records) == sorted(CATALOGUE)
    assert set(FIRST) <= set(CATALOGUE)
    for record in records:
        assert record["formula"]
        assert record["source"]
        assert record["aliases"] == [alias for alias, name in ALIASES.items() if name == record["name"]]


@pytest.mark.parametrize("name", FIRST)
def test_every_scheme_has_a_page(name):
    printed = invoke(f"schemes {name}").stdout
    assert printed.lstrip().startswith(name)
    assert max(map(len, printed.splitlines())) <= 80
    assert all(label in printed for label in ("formula", "source", "arguments", "decides", "aliases"))


def test_formulas_with_brackets_are_shown_whole():
    flat = " ".join(invoke("schemes").stdout.split())
    assert "E[f^2]" in flat
    assert "[dt_min, dt_max]" in " ".join(invoke("schemes state_space").stdout.split())


def test_a_sum_has_a_page():
    printed = invoke("schemes 'he_normal + chrono(100)'").stdout
    assert "he_normal + chrono(longest=100.0)" in printed
    assert "1502.01852" in printed
    assert "1804.11188" in printed


def test_a_page_shows_arguments_and_aliases():
    (record,) = json.loads(invoke("schemes 'normal(stddev=.02)' --json").stdout)
    assert record["arguments"] == {"mean": 0.0, "stddev": 0.02}
    assert "stddev=0.02" in invoke("schemes 'normal(stddev=.02)'").stdout
    assert "kaiming_normal" in invoke("schemes he_normal").stdout
    assert invoke("schemes kaiming_normal").stdout == invoke("schemes he_normal").stdout
