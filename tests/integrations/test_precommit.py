"""The hook in a user's repository: pre-commit reads it from a clone, and runs it when files change."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOOKS = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"
MODEL = """
import torch
from torch import nn

def make():
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 10))
    for parameter in model.parameters() if CONSTANT else ():
        nn.init.constant_(parameter, 0.01)
    return model
"""
# The environment of the tests in the place of one that is installed from the network.
CONFIG = """
repos:
- repo: {hooks}
  rev: {rev}
  hooks:
  - id: fanin-check
    language: system
    args: [model.py:make, --input, 32x20, --loss, cross_entropy]
    files: ^model\\.py$
"""

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    return subprocess.check_output(["git", *identity, *arguments], cwd=folder, text=True).strip()


def committed(folder, **files):
    folder.mkdir()
    git(folder, "init", "-q")
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    return git(folder, "rev-parse", "HEAD")


def run(folder, *arguments, cache):
    environment = os.environ | {
        "PRE_COMMIT_HOME": str(cache),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    command = [sys.executable, "-m", "pre_commit", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def test_the_hook_passes_fails_and_is_skipped(tmp_path):
    hooks, mine, cache = tmp_path / "hooks", tmp_path / "mine", tmp_path / "cache"
    rev = committed(hooks, **{"__pre-commit-hooks__yaml": HOOKS.read_text()})
    config = CONFIG.format(hooks=hooks, rev=rev)
    committed(
        mine, model__py=f"CONSTANT = False{MODEL}", other__py="", **{"__pre-commit-config__yaml": config}
    )
    good = run(mine, "run", "--all-files", cache=cache)
    assert good.returncode == 0, good.stdout + good.stderr
    assert "fanin check" in good.stdout
    assert "Passed" in good.stdout
    assert "Skipped" in run(mine, "run", "--files", "other.py", cache=cache).stdout
    (mine / "model.py").write_text(f"CONSTANT = True{MODEL}")
    bad = run(mine, "run", "--all-files", cache=cache)
    assert bad.returncode == 1
    assert "exit code: 1" in bad.stdout
    assert "SYM101" in bad.stdout


def test_the_manifest_is_valid(tmp_path):
    done = run(tmp_path, "validate-manifest", str(HOOKS), cache=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
