"""Gates of recurrent layers, which Keras computes inside of loops of its backend."""

from __future__ import annotations

from typing import Any, cast

import keras
import numpy as np

from fanin.frameworks import units
from fanin.frameworks.units import Array

_GATES: dict[type, tuple[int, tuple[int, ...]]] = {
    keras.layers.LSTMCell: (4, (0, 1, 3)),
    keras.layers.GRUCell: (3, (0, 1)),
}
"""Of a kind of cell: its gates, and those with the recurrent activation."""
_ACTIVATIONS = {"sigmoid": "sigmoid", "hard_sigmoid": "hardsigmoid"}
_EXAMPLES, _STEPS = 16, 256


def saturated(layer: keras.layers.RNN, read: Array, mask: Array | None, begins: list[Array]) -> float | None:
    r"""Return the share of the gates' values that their weights saturate; None where nobody knows.

    A gate is sigmoid(W x + U h + b), of which W x + U h is looked at: biases may hold a gate open on purpose.
    The cell makes the states h once more, step by step, of a few examples and the first steps.

    Args:
        layer: A recurrent layer.
        read: The sequences x: (examples, steps, features).
        mask: Which steps are some: (examples, steps).
        begins: The states that it begins with; none for zeros.
    """
    cell: Any = layer.cell
    known = _GATES.get(type(cell))
    function = _ACTIVATIONS.get(getattr(getattr(cell, "recurrent_activation", None), "__name__", ""))
    if known is None or function is None or read.ndim != 3:
        return None
    way = -1 if layer.go_backwards else 1
    few = np.asarray(read[:_EXAMPLES, ::way][:, :_STEPS], np.float32)
    there = np.ones(read.shape[:2], bool) if mask is None else np.asarray(mask, bool)
    there = there[:_EXAMPLES, ::way][:, :_STEPS]
    reads, keeps = (_array(one) for one in (cell.kernel, cell.recurrent_kernel))
    before = _states(cell, few, there, [one[:_EXAMPLES] for one in begins])
    number, gated = known
    parts = (few @ reads + before @ keeps).reshape(*few.shape[:2], number, -1)[there][:, list(gated)]
    return units.saturated(_activated(parts, function), function) if parts.size else None


def _states(cell: Any, read: Array, there: Array, begins: list[Array]) -> Array:
    """Return the states before each step: (examples, steps, units)."""
    ops = cast(Any, keras.ops)
    states = [ops.convert_to_tensor(one) for one in begins] or _initial(cell, len(read))
    found = []
    for step in range(read.shape[1]):
        found.append(_array(states[0]))
        _, made = cell(ops.convert_to_tensor(read[:, step]), states, training=False)
        here = ops.convert_to_tensor(there[:, step, None])
        states = [ops.where(here, new, old) for new, old in zip(_several(made), states, strict=True)]
    return np.stack(found, 1)


def _initial(cell: Any, examples: int) -> list[Any]:
    return _several(cell.get_initial_state(batch_size=examples))


def _several(states: Any) -> list[Any]:
    return list(states) if isinstance(states, list | tuple) else [states]


def _activated(parts: Array, function: str) -> Array:
    """Return the values of gates; a hard sigmoid's slope is 1/6."""
    if function == "hardsigmoid":
        return np.clip(parts / 6 + 0.5, 0, 1)
    return 1 / (1 + np.exp(-np.clip(parts, -50, 50)))


def _array(value: Any) -> Array:
    return np.asarray(keras.ops.convert_to_numpy(value), np.float32)
