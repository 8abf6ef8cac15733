"""A Flax Linen module's call."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
from flax import linen as nn

from fanin.errors import FaninError
from fanin.frameworks.jax.graph.modes import mode_keywords
from fanin.frameworks.jax.graph.tags import Place, call_marked
from fanin.frameworks.jax.graph.trace import Call, Leaf, of_values, separated, traced_code
from fanin.frameworks.jax.linen.values import leaves


def call_of(
    module: nn.Module,
    positional: tuple[Any, ...],
    keywords: Mapping[str, Any],
    *,
    params: Any = None,
    train: bool = False,
) -> Call:
    """Return how a Linen module is called.

    Args:
        module: The module, unbound.
        positional: Inputs by place.
        keywords: Inputs by name.
        params: Its variables, as `module.init` returns them, or its "params" alone; by default only what
            `module.init` would make, without making it, if that does not depend on values.
        train: Whether as in training.

    Raises:
        FaninError: `module.init` fails on these inputs, or the variables are no mapping.
    """
    keywords = {**mode_keywords(module.__call__, train, keywords), **keywords}
    arrays, names, together = separated(positional, keywords, module.__call__)
    rngs = jax.random.key(0)

    def make(key: Any) -> Any:
        args, named = together([jax.numpy.zeros(a.shape, a.dtype) for a in arrays])
        return module.init(key, *args, **named)

    variables, start = _checked(module, params), None
    if variables is None:
        with traced_code(f"{type(module).__name__}.init fails on these inputs", names, arrays):
            start, variables = _started(make, rngs)
    structure = jax.tree.structure(variables)

    def run(values: list[Any], given: list[Any]) -> Any:
        args, named = together(given)
        with nn.intercept_methods(_marked):
            outputs, _ = module.apply(
                jax.tree.unflatten(structure, values), *args, rngs={"params": rngs}, mutable=True, **named
            )
        return outputs

    found = [
        Leaf(name if kind == "params" else f"{kind}.{name}", value, kind == "params")
        for kind, name, value in leaves(variables)
    ]
    name = type(module).__name__
    return Call(run, found, arrays, names, name, name, None if start is None else lambda: start)


def _started(make: Callable[[Any], Any], key: Any) -> tuple[Any, Any]:
    """Return the program of the first variables and their descriptions; if values steer it, these alone."""
    try:
        return jax.make_jaxpr(make, return_shape=True)(key)
    except Exception as error:
        if of_values(error) is None:
            raise
        return None, make(key)


def _checked(module: nn.Module, params: Any) -> Any:
    if params is None:
        return None
    if not isinstance(params, Mapping):
        raise FaninError(
            f"A {type(params).__name__} is no Linen module's variables.", fix="pass what module.init returns"
        )
    return params if "params" in params else {"params": params}


def _marked(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
    module = context.module
    if module.scope is None or context.method_name == "setup":
        return call(*args, **kwargs)
    place = Place(".".join(module.path), type(module).__name__)
    ends = context.method_name in ("__call__", "attend")
    whole = functools.partial(call, *args, **kwargs)
    return call_marked(place, whole, ends=ends, own=lambda: module.variables)
