"""What is known of parameters before a number is looked at: what they do, and how large they should be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fanin.errors import FaninError
from fanin.graph.fans import fans
from fanin.graph.inventory import Inventory
from fanin.graph.parameter import Parameter
from fanin.rules import vitals
from fanin.rules.vitals import Vitals


def declared(found: Vitals, inventory: Callable[[], Inventory], value: Callable[[str], Any]) -> Vitals:
    """Return vitals whose parameters say what they do, and what gates begin with.

    Args:
        found: What was measured.
        inventory: Lists the model's parameters; if it fails, that adds nothing.
        value: From a bias' name to all that is added to its gates.
    """
    try:
        known = {one.name: one for one in inventory().parameters}
    except FaninError:
        return found
    told = [
        _told(one, known[one.name], value) if one.name in known and not one.meta else one
        for one in found.parameters
    ]
    return replace(found, parameters=tuple(told))


def _told(one: vitals.Parameter, known: Parameter, value: Callable[[str], Any]) -> vitals.Parameter:
    return replace(one, kind=known.kind, reference=_reference(known), forget=_forget(known, value))


def _reference(parameter: Parameter) -> float | None:
    """Return 1 / sqrt(fan_in) of a kernel whose fans are known."""
    if parameter.kind not in ("kernel", "recurrent") or len(parameter.axes) != len(parameter.shape):
        return None
    try:
        return 1 / math.sqrt(fans(parameter).fan_in)
    except FaninError:
        return None


def _forget(parameter: Parameter, value: Callable[[str], Any]) -> float | None:
    """Return the mean of an LSTM's forget gate's bias; a GRU has none."""
    names = parameter.gate_names
    if parameter.kind != "bias" or "forget" not in names:
        return None
    gates = np.asarray(value(parameter.name), float).reshape(len(names), -1)
    return float(np.mean(gates[names.index("forget")]))
