"""A Flax NNX module's call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from fanin.frameworks.jax.graph.copies import copies_of
from fanin.frameworks.jax.graph.modes import mode_keywords
from fanin.frameworks.jax.graph.tags import Place, calls_marked
from fanin.frameworks.jax.graph.trace import Call, Leaf, separated, traced_start
from fanin.frameworks.jax.leaves import why_kept
from fanin.frameworks.jax.nnx.walk import below, is_node, parts, variables


def call_of(
    model: nnx.Module,
    positional: tuple[Any, ...],
    keywords: Mapping[str, Any],
    *,
    train: bool = False,
    start: Callable[[Any], Any] | None = None,
) -> Call:
    """Return how an NNX module is called; the module itself stays as it is.

    Args:
        model: The module; it may be abstract (`nnx.eval_shape`).
        positional: Inputs by place.
        keywords: Inputs by name.
        train: Whether as in training.
        start: From a random key to such a module, for the laws of an abstract one.
    """
    copy = nnx.clone(model)
    _begin_streams(copy)
    (copy.train if train else copy.eval)()
    keywords = {**mode_keywords(type(model).__call__, train, keywords), **keywords}
    arrays, names, together = separated(positional, keywords, type(model).__call__, 1)
    _, found = _named(copy)

    def run(values: list[Any], given: list[Any]) -> Any:
        # Of a new copy each time, so that none keeps what belongs to the trace.
        traced = nnx.clone(copy)
        mine, _ = _named(traced)
        places: dict[int, Place] = {}
        for variable, value in zip(mine, values, strict=True):
            variable.set_value(value)
        modules = dict(_modules(traced, ""))
        places.update({id(m): Place(path, type(m).__name__) for path, m in modules.items()})
        args, named = together(given)
        copied = copies_of(modules.items(), lambda module: _modules(module, ""), _shapes)
        with calls_marked(places, {type(m) for m in modules.values()}, copied=copied):
            return traced(*args, **named)

    def make(key: Any) -> list[Any]:
        assert start is not None
        return [variable.get_value() for variable in _named(start(key))[0]]

    return Call(
        run,
        found,
        arrays,
        names,
        type(model).__name__,
        type(model).__name__,
        None if start is None else traced_start(make),
    )


def _begin_streams(model: nnx.Module) -> None:
    """Let streams of random keys that are only described begin with the seed 0."""
    for _, variable in variables(model):
        value = variable.get_value()
        if isinstance(variable, nnx.RngState) and isinstance(value, jax.ShapeDtypeStruct):
            is_key = why_kept(value) == "a random key"
            first = jax.random.key(0) if is_key else jnp.zeros((), value.dtype)
            variable.set_value(jnp.broadcast_to(first, value.shape))


def _named(model: Any) -> tuple[list[nnx.Variable], list[Leaf]]:
    """Return the variables with numbers, each once, and their names; random keys are left out."""
    names: dict[int, list[str]] = {}
    held: dict[int, nnx.Variable] = {}
    for name, variable in variables(model):
        if hasattr(variable.get_value(), "dtype") and why_kept(variable.get_value()) != "a random key":
            held.setdefault(id(variable), variable)
            names.setdefault(id(variable), []).append(name)
    leaves = [
        Leaf(first, held[key].get_value(), isinstance(held[key], nnx.Param), tuple(rest))
        for key, (first, *rest) in names.items()
    ]
    return list(held.values()), leaves


def _shapes(module: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Return the shapes of a module's variables by their paths, without random keys."""
    found = [(name, variable.get_value()) for name, variable in variables(module)]
    return [
        (name, tuple(value.shape))
        for name, value in found
        if hasattr(value, "dtype") and why_kept(value) != "a random key"
    ]


def _modules(node: Any, path: str, above: tuple[int, ...] = ()) -> Any:
    """Yield (path, module) of every module that can be called; shared ones under their first path."""
    seen: set[int] = set()
    waiting = [(node, path, above)]
    while waiting:
        current, name, over = waiting.pop(0)
        if isinstance(current, nnx.Module) and id(current) not in seen and callable(current):
            yield name, current
        seen.add(id(current))
        inner = [part for part in parts(current) if is_node(part[1]) and id(part[1]) not in over]
        waiting += [(part, below(name, key), (*over, id(current))) for key, part in inner]
