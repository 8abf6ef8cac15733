import collections
import dataclasses
import datetime
import functools
import pathlib
import sys
import textwrap
import types

import keras
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


class Config:
    def __init__(self, width):
        self.width = width

    def build(self, initializer):
        return self.width


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    width: int


class Scaled(keras.initializers.Initializer):
    """As users write them: without get_config."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, shape, dtype=None):
        return self.scale * keras.ops.ones(shape, dtype)


PAIRS = [
    lambda n: functools.partial(max, n),
    lambda n: functools.partial(max, default=n),
    lambda n: Config(n).build,
    lambda n: [Config(1), Config(n)],  # each is held by nobody else while it is hashed
    lambda n: Slotted(n),
    lambda n: pathlib.Path(f"weights-{n}.npy"),
    lambda n: datetime.timedelta(days=n),
    lambda n: np.random.default_rng(n),
    lambda n: collections.deque([n]),
    lambda n: collections.OrderedDict(a=n),
    lambda n: Scaled(n),
    lambda n: keras.losses.Huber(float(n)),  # whose get_config has no delta
    lambda n: keras.losses.BinaryCrossentropy(label_smoothing=n / 10),
    lambda n: keras.optimizers.SGD(n / 10),
    lambda n: keras.initializers.RandomNormal(stddev=n),
    lambda n: keras.metrics.BinaryAccuracy(name="a", threshold=n / 10),
    lambda n: derived(n),
    lambda n: types.new_class(f"Made{n}"),
]


def derived(n):
    class Base:
        def build(self):
            return n

    class Derived(Base):
        pass

    return Derived


@pytest.mark.parametrize("make", PAIRS)
def test_what_an_object_holds_counts_and_nothing_else(make):
    assert fingerprint(make(2)) != fingerprint(make(3))
    assert fingerprint(make(2)) == fingerprint(make(2))


IMPORTS = """
    def create(initializer):
        import helpers_of_builders
        return helpers_of_builders.make(initializer)
"""


def test_what_the_builder_imports_when_it_is_called_counts(tmp_path):
    found = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "deeper_helpers.py").write_text(f"def make(i):\n    return {number}\n")
        (folder / "helpers_of_builders.py").write_text("from deeper_helpers import make\n")
        found.append(fingerprint(module(folder, IMPORTS)("create")))
        for name in ("deeper_helpers", "helpers_of_builders"):
            sys.modules.pop(name, None)
    assert found[0] != found[1]


def test_lambdas_on_one_line_are_told_apart():
    one, same, other = (lambda x: x + 1), (lambda x: x + 1), (lambda x: x + 2)
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)
    assert len({fingerprint(f) for f in (lambda x: x in {"a", "b"}, lambda x: x in {"a", "c"})}) == 2
    inner = [lambda: lambda y: y + 1, lambda: lambda y: y + 2]
    assert fingerprint(inner[0]) != fingerprint(inner[1])
