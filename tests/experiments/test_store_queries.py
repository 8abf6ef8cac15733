"""The queries and the names on the page about the store are those of a real file."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fanin.experiments.store import open_store
from fanin.experiments.store.schema import APPLICATION_ID, VERSION
from fanin.frameworks.training import Run

PAGE = (Path(__file__).parents[2] / "docs" / "store.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def shell(tmp_path):
    with open_store(tmp_path / "runs.db") as store:
        store.begin("5e1f", {"data": "digits"})
        for scheme, finals in {"he_normal": (0.9, 0.8), "zeros": (0.1, float("nan"))}.items():
            runs = [
                Run(scheme, seed, {"loss": (2.0, 1.0), "val_accuracy": (0.0, final)})
                for seed, final in enumerate(finals)
            ]
            store.add("5e1f", runs)
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        yield connection


def test_the_first_query_averages_and_counts_divergence(shell):
    rows = shell.execute(QUERIES[0]).fetchall()
    assert rows == [("digits", "he_normal", 2, pytest.approx(0.85), 0), ("digits", "zeros", 2, 0.1, 1)]


def test_the_second_query_is_one_learning_curve(shell):
    assert shell.execute(QUERIES[1]).fetchall() == [(1, 2.0), (2, 1.0)]
    assert len(QUERIES) == 2


def test_the_page_names_every_table_and_column(shell):
    for (name,) in shell.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall():
        (line,) = re.findall(rf"^\| `{name}` \|.*$", PAGE, flags=re.MULTILINE)
        columns = [row[1] for row in shell.execute(f"PRAGMA table_info({name})")]
        if name != "final":  # "as `curve`"
            assert re.findall(r"`(\w+)`", line)[1:] == columns


def test_the_page_names_the_format(shell):
    assert shell.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert f"0x{APPLICATION_ID:X}" in PAGE
    assert f"the format's version, now {VERSION}." in PAGE
