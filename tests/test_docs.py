"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import fanin

MODULES = sorted(module.name for module in pkgutil.walk_packages(fanin.__path__, "fanin."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_the_page_on_initialization_runs():
    page = (Path(__file__).parents[1] / "docs/initialize.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) > 5
    scope: dict[str, object] = {}
    for block in blocks:
        exec(block, scope)
