"""The examples of the page run as they stand."""

import re
from pathlib import Path

import pytest
import torch
import yaml

PAGE = (Path(__file__).parents[2] / "docs/integrations.md").read_text()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    scope: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        exec(block, scope)
    test = scope["test_the_network_is_healthy"]
    assert callable(test)
    test()


def test_the_hook_of_the_example_exists():
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    hooks = yaml.safe_load((Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text())
    assert yaml.safe_load(block)["repos"][0]["hooks"][0]["id"] == hooks[0]["id"]
