"""What the layers inside of Flax's recurrent cells and attention are for."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from fanin.frameworks.jax.making import PLAIN, Part
from fanin.graph import roles

ATTENTION = {"MultiHeadAttention", "MultiHeadDotProductAttention", "SelfAttention"}
CELLS = {"LSTMCell", "OptimizedLSTMCell", "GRUCell", "MGUCell", "SimpleCell", "ConvLSTMCell"}
_GATES = {
    "i": "input",
    "f": "forget",
    "g": "cell",
    "o": "output",
    "r": "reset",
    "z": "update",
    "n": "new",
}
_PACKED = {
    "OptimizedLSTMCell": ("input", "forget", "cell", "output"),
    "GRUCell": ("reset", "update", "new"),
    "SimpleCell": (),
}
_PROJECTIONS = {
    "query": roles.query,
    "key": roles.key,
    "value": roles.value,
    "out": roles.attention_out,
}
_ONE_GATE = re.compile(r"([ih])([ifgorzn])_?")  # "if" is a keyword, so that NNX calls it if_


def part_of(parent: Any, name: str) -> Part:
    """Return what a layer is for the layer that it belongs to.

    Args:
        parent: The outer layer.
        name: The inner one's name in it.
    """
    kinds = {kind.__name__ for kind in type(parent).__mro__ if kind.__module__.startswith("flax.")}
    return named_part(kinds, name, type(parent).__name__)


def named_part(kinds: set[str], name: str, layer: str) -> Part:
    """Return what a layer is for one of some classes.

    Args:
        kinds: Names of the outer layer's class and of those it derives from.
        name: The inner layer's name in it.
        layer: What the parts of a cell are named after.

    Example:
        >>> named_part({"LSTMCell"}, "hf", "LSTMCell").gates
        ('forget',)
    """
    if kinds & ATTENTION and name in _PROJECTIONS:
        return Part(roles=(_PROJECTIONS[name],))
    if kinds & CELLS:
        return replace(_part_of_cell(kinds, name), layer=layer)
    return PLAIN


def _part_of_cell(kinds: set[str], name: str) -> Part:
    if "ConvLSTMCell" in kinds:
        # Its forget gate has a 1 of its own, so that none of the gates is named for a bias to open.
        return Part(recurrent=name == "hh", packed=4)
    if one := _ONE_GATE.fullmatch(name):
        return Part(recurrent=one[1] == "h", gates=(_GATES[one[2]],))
    gates = next((names for kind, names in _PACKED.items() if kind in kinds), ())
    return Part(recurrent=name in ("h", "dense_h"), gates=gates, packed=max(len(gates), 1))
