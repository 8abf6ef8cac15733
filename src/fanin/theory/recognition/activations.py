"""Activations that are made of small functions, told by their values."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.activation import Array
from fanin.theory.catalogue import CATALOGUE
from fanin.theory.recognition.draft import Draft, function
from fanin.theory.recognition.elements import value_of

_POINTS = np.array(
    [-60.0, -21.0, -7.3, -4.1, -2.3, -1.2, -0.6, -0.1, 0.0, 0.3, 0.8, 1.7, 3.3, 7.0, 21.0, 60.0]
)
"""Where functions are compared: beyond every kink and plateau of the known ones."""

_LONGEST = 24
"""Small functions that an activation may be made of."""

_PLAIN = frozenset({"identity", "square", "abs", "exp", "sign", "sin", "cos", "erf", "step"})
"""What stays as it is: a function of its own in a graph, or no activation."""


def activations(draft: Draft) -> None:
    """Put the functions that make a known activation together, the longest ones that do."""
    chains = _chains(draft)
    for node in draft:
        if function(node, *CATALOGUE) and not function(node, *_PLAIN):
            continue
        for root in chains.get(node.name, ())[:-1]:
            if (known := _activation(draft, node, root)) is not None:
                name, arguments = known
                more: dict[str, Any] = {"arguments": arguments} if arguments else {}
                draft.put(node, "elementwise", (root,), function=name, **more)
                break


def _chains(draft: Draft) -> dict[str, tuple[str, ...]]:
    """Return the values that each varying value is a function of alone, element by element, and itself.

    The earliest comes first: of gelu(silu(x)) these are x, silu(x) and the value itself.
    """
    chains: dict[str, tuple[str, ...]] = {}
    for node in draft:
        if not draft.varies(node.name):
            continue
        found = [chains[name] for name in node.inputs if name in chains]
        whole = all(draft.varies(name) and draft[name].shape == node.shape for name in node.inputs)
        common: tuple[str, ...] = ()
        if node.op == "elementwise" and found and whole:
            others = [set(chain) for chain in found[1:]]
            common = tuple(name for name in found[0] if all(name in other for other in others))
        chains[node.name] = (*common[-_LONGEST:], node.name)
    return chains


def _activation(draft: Draft, node: Node, root: str) -> tuple[str, tuple[float, ...]] | None:
    """Return the activation that a node is of another; None where it is none that is known."""
    steps = _steps(draft, node, root)
    if steps is None:
        return None
    values: dict[str, Array] = {root: _POINTS}
    for step in steps:
        found = value_of(step, [values[name] for name in step.inputs])
        if found is None:
            return None
        values[step.name] = found
    return named_by_values(values[node.name])


def _steps(draft: Draft, node: Node, root: str) -> list[Node] | None:
    """Return the functions between a root and a node, in order; None where they are too many."""
    steps: dict[str, Node] = {}
    waiting = [node]
    while waiting:
        step = waiting.pop()
        if step.name == root or step.name in steps:
            continue
        steps[step.name] = step
        # What was put together may read past the root. A layer within would end where nothing goes on.
        within = step is not node and draft.is_end(step.name)
        if len(steps) > _LONGEST or step.op != "elementwise" or within:
            return None
        waiting += [draft[name] for name in step.inputs]
    return [step for name, step in draft.nodes.items() if name in steps]


def named_by_values(values: Array) -> tuple[str, tuple[float, ...]] | None:
    """Return name and arguments of the activation that has these values at the points, if one has."""
    for name, known in _known().items():
        if np.allclose(values, known, rtol=1e-5, atol=1e-6):
            return name, ()
    return _with_argument(values)


@functools.cache
def _known() -> dict[str, Array]:
    # Where two are the same function with their defaults (elu and celu), the first name stands for both.
    names = sorted((name for name in CATALOGUE if name not in _PLAIN), key=lambda name: (len(name), name))
    made = {name: CATALOGUE[name].make(*CATALOGUE[name].defaults.values())[0] for name in names}
    return {name: np.asarray(value(_POINTS)) for name, value in made.items()}


def _with_argument(values: Array) -> tuple[str, tuple[float, ...]] | None:
    """Return the activation with an argument of its own that has these values, the argument read from one."""
    lowest, highest = values[0], values[-1]
    point = _POINTS[0]
    guesses = {
        "leaky_relu": lowest / point,
        "elu": lowest / np.expm1(point),
        "softplus": np.log(2) / values[list(_POINTS).index(0.0)] if values[list(_POINTS).index(0.0)] else 0.0,
        "quick_gelu": _slope_of_swish(values),
    }
    for name, guess in guesses.items():
        argument = float(f"{guess:.6g}")
        if not np.isfinite(argument) or argument <= 0:
            continue
        with np.errstate(all="ignore"):
            found = CATALOGUE[name].make(argument)[0](_POINTS)
        if np.allclose(values, found, rtol=1e-5, atol=1e-6) and not np.array_equal(found, _POINTS):
            return name, (argument,)
    # Ends that lie beyond all points are no ends that show.
    shows = values[1] == lowest < 0 < highest == values[-2]
    if shows and np.allclose(values, np.clip(_POINTS, lowest, highest), rtol=1e-5, atol=1e-6):
        return "hard_tanh", (float(f"{lowest:.6g}"), float(f"{highest:.6g}"))
    return None


def _slope_of_swish(values: Array) -> float:
    """Return beta where values are x sigmoid(beta x)."""
    place = list(_POINTS).index(0.8)
    gate = values[place] / _POINTS[place]
    return float(np.log(gate / (1 - gate)) / _POINTS[place]) if 0.5 < gate < 1 else 0.0
