import sys
import textwrap

import numpy as np
import pytest

from fanin.experiments.fingerprint import fingerprint


def module(tmp_path, source, name="builders"):
    """Load source from a file, as a user's module."""
    from fanin.experiments.loading import load

    path = tmp_path / f"{name}.py"
    path.write_text(textwrap.dedent(source))
    sys.modules.pop(f"__fanin__{name}", None)
    import linecache

    linecache.checkcache()
    return lambda attribute: load(f"{path}:{attribute}", what="a function")


BASE = """
    import math
    WIDTH = 64
    def helper(n):
        return n + 1
    class Layer:
        def call(self, x):
            return helper(x)
    def create(initializer, depth=2):
        return Layer(), WIDTH, math.pi
    def unrelated():
        return 0
"""


@pytest.fixture
def base(tmp_path):
    (tmp_path / "base").mkdir()
    return fingerprint(module(tmp_path / "base", BASE)("create"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("WIDTH = 64", "WIDTH = 65"),
        ("return n + 1", "return n + 2"),
        ("return helper(x)", "return helper(-x)"),
        ("depth=2", "depth=3"),
        ("math.pi", "math.e"),
    ],
)
def test_a_change_that_the_builder_can_see_changes_it(tmp_path, base, old, new):
    assert fingerprint(module(tmp_path, BASE.replace(old, new))("create")) != base


def test_a_change_that_the_builder_cannot_see_leaves_it(tmp_path, base):
    assert fingerprint(module(tmp_path, BASE.replace("return 0", "return 1"))("create")) == base


def test_it_is_the_same_in_another_process(tmp_path, base):
    import subprocess

    path = tmp_path / "base" / "builders.py"
    code = (
        "from fanin.experiments.loading import load; from fanin.experiments.fingerprint import fingerprint;"
        f"print(fingerprint(load({str(path) + ':create'!r}, what='x')))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == base


def test_closures_arrays_and_containers_count():
    def builder(value):
        return lambda: value

    values = [
        1,
        2.0,
        "a",
        None,
        [1, 2],
        (1, 2),
        {"a": 1},
        {"a": 2},
        {1, 2},
        np.arange(3),
        np.arange(3.0),
        np.arange(4),
    ]
    assert len({fingerprint(builder(value)) for value in values}) == len(values)


def test_recursion_ends():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    loop = []
    loop.append(loop)
    assert fingerprint(even) != fingerprint(odd)
    assert fingerprint(loop)
