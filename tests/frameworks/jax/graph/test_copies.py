"""Which module a copy is one of."""

from __future__ import annotations

import pytest

from fanin.frameworks.jax.graph.copies import copies_of


class Linear:
    def __init__(self, *shape):
        self.shape = shape


class Block:
    def __init__(self, *shape):
        self.linear = Linear(*shape)


def parts(module):
    yield "", module
    if isinstance(module, Block):
        yield "linear", module.linear


def arrays(module):
    if isinstance(module, Block):
        return [("linear.w", module.linear.shape)]
    return [("w", module.shape)]


MODULES = {
    "a": Block(4, 4),
    "a.linear": Linear(4, 4),
    "b": Block(3, 5, 5),
    "c.d": Linear(7),
    "e.d": Linear(7),
}


@pytest.mark.parametrize(
    ("unknown", "caller", "paths"),
    [
        (Block(4, 4), "", ["a", "a.linear"]),
        (Block(5, 5), "", ["b", "b.linear"]),
        (Block(3, 5, 5), "", ["b", "b.linear"]),
        (Block(6, 6), "", []),
        (Linear(7), "", []),
        (Linear(7), "e", ["e.d"]),
        (Linear(4, 4), "", ["a.linear"]),
    ],
)
def test_copies_are_told_by_their_parts_and_shapes(unknown, caller, paths):
    found = copies_of(MODULES.items(), parts, arrays)(unknown, caller)
    assert [place.path for place in found.values()] == paths
    assert list(found) == [id(part) for _, part in parts(unknown)][: len(paths)]
