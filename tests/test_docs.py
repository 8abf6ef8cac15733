"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest
from benchmarks.torchvision_on_cpu import allow_torchvision

import fanin

allow_torchvision()  # which Lightning imports, where it is installed

MODULES = sorted(module.name for module in pkgutil.walk_packages(fanin.__path__, "fanin."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


@pytest.mark.parametrize(("name", "count"), [("check", 3), ("initialize", 6), ("propagate", 2)])
def test_a_page_runs(name, count, tmp_path, monkeypatch):
    page = (Path(__file__).parents[1] / f"docs/{name}.md").read_text()
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= count
    scope: dict[str, object] = {}
    for block in blocks:
        exec(block, scope)
