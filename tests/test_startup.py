"""`import fanin` and `fanin --help` load no framework and nothing heavy."""

import subprocess
import sys

HEAVY = {"numpy", "scipy", "jax", "keras", "torch", "tensorflow", "altair", "rich", "jinja2", "sklearn"}


def modules_after(code):
    printed = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return set(printed.splitlines()[-1].split())


def test_import_is_light():
    loaded = modules_after("import fanin")
    assert not loaded & HEAVY
    assert "click" not in loaded


def test_help_is_light_and_lists_the_commands():
    code = "from fanin.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert not modules_after(code) & HEAVY
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert all(name in printed for name in ("compare", "export", "runs", "schemes"))


def test_public_names_are_there():
    import fanin

    assert all(getattr(fanin, name) is not None for name in fanin.__all__)
    assert fanin.__all__ == sorted(fanin.__all__)
    assert not hasattr(fanin, "no_such_name")
