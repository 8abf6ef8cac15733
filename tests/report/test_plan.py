"""The table of a plan, letter by letter; `FANIN_UPDATE_GOLDEN=1 pytest tests/report` writes it anew."""

import os
from pathlib import Path

import pytest
from rich.cells import cell_len
from torch import nn

import fanin
from fanin.graph.inventory import Inventory
from fanin.graph.parameter import Parameter
from fanin.report.plan import describe
from fanin.schemes.distributions import ICNR, Factor, Normal, Orthogonal, Paired, Values
from fanin.schemes.plan import make_plan
from fanin.schemes.records import to_record

GOLDEN = Path(__file__).parents[1] / "golden" / "plan"


def transformer():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    body = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
    return nn.ModuleDict({"table": nn.Embedding(50, 16), "body": body, "rnn": nn.LSTM(16, 8)})


PLANS = {
    "mlp": lambda: fanin.plan(nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 1)), "he_normal"),
    "transformer": lambda: fanin.plan(
        transformer(),
        fanin.Policy({"residual_out": "normal(stddev=0.01)", "embeding": "zeros"}, "orthogonal"),
    ),
    "names": lambda: make_plan(
        Inventory((Parameter("重み.[red]x[/]." + "long_name." * 5 + "w", (3, 4), "kernel", ("in", "out")),)),
        "zeros",
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_the_table_is_as_it_was(name):
    printed = str(PLANS[name]()) + "\n"
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("FANIN_UPDATE_GOLDEN"):
        file.write_text(printed, encoding="utf-8")
    assert printed == file.read_text(encoding="utf-8")
    assert max(map(cell_len, printed.splitlines())) <= 80


def test_it_is_html_in_a_notebook():
    page = PLANS["mlp"]()._repr_html_()
    assert page.startswith("<pre>")
    assert "2 / fan_in" in page


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"kind": "Uniform", "low": -1.0, "high": 2.0}, "U(-1, 2)"),
        (
            {"kind": "TruncatedNormal", "mean": 0.0, "sd": 0.5, "low": -2.0, "high": 3.0},
            "N(0, 0.5^2) [-2, 3]sd",
        ),
        ({"kind": "Sparse", "count": 3, "sd": 0.5}, "Sparse(3, 0.5)"),
        (to_record(Paired(Orthogonal(2**0.5), 1, outputs=True)), "Orthogonal(1.414) in pairs"),
        (to_record(ICNR(Normal(0.0, 0.02), 4)), "N(0, 0.02^2) copied"),
        (to_record(Values((1.0, 2.0))), "Values(2 values)"),
        (
            to_record(Factor(True, "query_key", "attention", 2, 0.5, 1.0)),
            "Factor(True, query_key, attention, 2, 0.5, 1)",
        ),
    ],
)
def test_distributions_in_a_few_signs(record, text):
    assert describe(record) == text
