import re
import sys
import time
from io import StringIO

import pytest
from rich.console import Console

from fanin.report.progress import run_progress


@pytest.fixture
def console():
    return Console(file=StringIO(), force_terminal=True, width=100, color_system=None)


def drawn(console):
    """Return the last state of the bar; what stands on the screen is redrawn in place."""
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue()).replace("\r", "\n").splitlines()
    return [line for line in lines if line.strip()][-1]


def test_the_bar_shows_runs_done_runs_a_second_and_time_left(console):
    with run_progress(console=console) as update:
        update(0, 400)
        for done in (100, 200, 300):
            time.sleep(0.01)
            update(done, 400)
    last = drawn(console)
    assert re.search(r"training .*300/400 [\d,]+\.\d runs/s 0:00:0\d", last), last


def test_until_a_run_is_done_the_bar_says_what_is_going_on(console):
    with run_progress(console=console) as update:
        pass
    assert "building" in drawn(console)
    with run_progress(console=console) as update:
        update(0, 20)
    last = drawn(console)
    assert re.search(r"compiling .* 0/20 ", last), last
    assert "runs/s" not in last, "there is nothing to divide yet"


def test_the_bar_leaves_nothing_behind(console):
    with run_progress(console=console) as update:
        update(1, 1)
    assert console.file.getvalue().endswith("\x1b[1A\x1b[2K"), "up one line, and clear it"


def test_nothing_is_drawn_where_nobody_looks():
    console = Console(file=StringIO())
    with run_progress(console=console) as update:
        update(1, 2)
    assert console.file.getvalue() == ""


def test_a_function_is_told_instead(console):
    told = []
    with run_progress(lambda done, total: told.append((done, total)), console=console) as update:
        update(1, 2)
    assert told == [(1, 2)]
    assert console.file.getvalue() == ""


def test_no_bar_is_drawn_for_who_wants_none(console):
    with run_progress(False, console=console) as update:
        update(1, 2)
    assert console.file.getvalue() == ""


@pytest.mark.filterwarnings("error")
def test_a_notebook_without_widgets_is_left_in_peace(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # as if it were not installed
    with run_progress(console=Console(force_jupyter=True)) as update:
        update(1, 2)
