"""The call of a plain function of parameters and inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from fanin.errors import FaninError
from fanin.frameworks.jax.graph.modes import mode_keywords
from fanin.frameworks.jax.graph.trace import Call, Leaf, separated, traced_start
from fanin.frameworks.jax.leaves import why_kept
from fanin.frameworks.jax.tree import named_leaves


def call_of(
    function: Callable[..., Any],
    positional: tuple[Any, ...],
    keywords: Mapping[str, Any],
    *,
    params: Any = None,
    train: bool = False,
    start: Callable[[Any], Any] | None = None,
) -> Call:
    """Return how a function f(params, *inputs) is called.

    Args:
        function: The function.
        positional: Inputs by place.
        keywords: Inputs by name.
        params: Its first argument, a pytree of arrays or of descriptions.
        train: Whether as in training, for functions that have an argument for it.
        start: From a random key to such a pytree, for the laws of descriptions, or in place of `params`.

    Raises:
        FaninError: There are neither `params` nor `start`.
    """
    name = getattr(function, "__name__", type(function).__name__)
    if params is None and start is None:
        raise FaninError(
            f"{name} is a function of parameters that are not given.",
            fix="params=..., a pytree of arrays or of jax.ShapeDtypeStruct, or start=a function of a key",
        )
    if params is None:
        assert start is not None
        params = jax.eval_shape(start, jax.random.key(0))
    keywords = {**mode_keywords(function, train, keywords), **keywords}
    arrays, names, together = separated(positional, keywords, function, 1)
    named, structure = named_leaves(params), jax.tree.structure(params)
    places = [place for place, (_, leaf) in enumerate(named) if not why_kept(leaf)]
    found = [Leaf(named[place][0] or "params", named[place][1]) for place in places]

    def run(values: list[Any], given: list[Any]) -> Any:
        filled = [leaf for _, leaf in named]
        for place, value in zip(places, values, strict=True):
            filled[place] = value
        args, more = together(given)
        return function(jax.tree.unflatten(structure, filled), *args, **more)

    def make(key: Any) -> list[Any]:
        assert start is not None
        made = jax.tree.leaves(start(key))
        return [made[place] for place in places]

    return Call(run, found, arrays, names, name, "", None if start is None else traced_start(make))
