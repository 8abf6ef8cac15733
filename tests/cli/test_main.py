import importlib.metadata
import subprocess
import sys

import pytest

from commands import invoke


@pytest.mark.parametrize(
    "command", ["", "check", "compare", "export", "gain", "phase", "plan", "rule", "runs", "schemes"]
)
def test_help_has_two_spellings_and_fits_the_terminal(command):
    short, long = invoke(f"{command} -h"), invoke(f"{command} --help")
    assert short.exit_code == long.exit_code == 0
    assert short.stdout == long.stdout
    assert long.stdout.startswith(f"Usage: fanin {command}".rstrip())
    assert max(map(len, long.stdout.splitlines())) <= 80
    assert "\\b" not in long.stdout  # click's mark of text that keeps its lines


def test_every_command_is_listed_with_its_summary():
    printed = invoke("--help").stdout
    for name in ("check", "compare", "export", "gain", "phase", "plan", "rule", "runs", "schemes"):
        assert f"\n  {name} " in printed


def test_the_version_is_the_packages():
    assert importlib.metadata.version("fanin") in invoke("--version").stdout


def test_compares_help_names_every_option_of_the_api():
    import inspect

    from fanin import compare

    printed = invoke("compare --help").stdout
    spelt = {"builder": "MODEL", "metrics": "--metric"}
    only_in_python = {"class_weight", "progress", "command"}
    for name in inspect.signature(compare).parameters.keys() - only_in_python:
        assert spelt.get(name, f"--{name.replace('_', '-')}") in printed


def test_it_runs_as_a_module():
    command = [sys.executable, "-m", "fanin", "rule", "FWD101"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("FWD101 vanishing-forward-signal")
