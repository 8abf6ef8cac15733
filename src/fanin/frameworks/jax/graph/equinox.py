"""An Equinox module's call, for each example of a batch by itself."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import equinox as eqx
import jax

from fanin.errors import FaninError
from fanin.frameworks.jax.graph.copies import copies_of
from fanin.frameworks.jax.graph.modes import mode_keywords
from fanin.frameworks.jax.graph.tags import Place, calls_marked
from fanin.frameworks.jax.graph.trace import Call, Leaf, separated, traced_start
from fanin.frameworks.jax.leaves import why_kept
from fanin.frameworks.jax.tree import children, joined, named_leaves


def call_of(
    model: Any,
    positional: tuple[Any, ...],
    keywords: Mapping[str, Any],
    *,
    train: bool = False,
    vmap: bool | None = None,
    state: Any = None,
    start: Callable[[Any], Any] | None = None,
) -> Call:
    """Return how an Equinox module is called.

    Args:
        model: The module; its arrays may be descriptions (`eqx.filter_eval_shape`).
        positional: Batches of inputs by place.
        keywords: Other arguments, the same for all examples.
        train: Whether as in training.
        vmap: Whether the module takes one example, and is given each of the batch by `jax.vmap`; by default
            so unless it takes no example and takes the batch.
        state: Its state, if it has one (`eqx.nn.make_with_state`), as the argument after the inputs.
        start: From a random key to such a module, for the laws of an abstract one.

    Raises:
        FaninError: An input has no axis of the batch.
    """
    model = eqx.nn.inference_mode(model, value=not train)
    keywords = {**mode_keywords(type(model).__call__, train, keywords), **keywords}
    arrays, names, together = separated(positional, {}, type(model).__call__, 1)
    leaves, structure = jax.tree.flatten(model)
    places = [place for place, leaf in enumerate(leaves) if not why_kept(leaf)]
    found = list(_named(model, set(places)))
    keyed = "key" in inspect.signature(type(model).__call__).parameters and "key" not in keywords

    def one(model: Any, inputs: Any, key: Any) -> Any:
        args, _ = inputs
        more = {"key": key} if keyed and train else {}
        outputs = model(*args, *(() if state is None else (state,)), **keywords, **more)
        return outputs if state is None else outputs[0]

    if vmap is None:
        vmap = _takes_one(functools.partial(one, model), arrays, together)
    if vmap and any(not array.shape for array in arrays):
        raise FaninError(
            "An input has no axis of the batch.", fix="vmap=False for a module of single examples"
        )

    def run(values: list[Any], given: list[Any], *, alone: bool = False) -> Any:
        filled = list(leaves)
        for place, value in zip(places, values, strict=True):
            filled[place] = value
        traced = jax.tree.unflatten(structure, filled)
        modules = dict(_modules(traced, ""))
        known = {id(m): Place(path, type(m).__name__) for path, m in modules.items()}
        inputs = together([array[0] for array in given] if alone else given)
        copied = copies_of(modules.items(), lambda module: _modules(module, ""), _shapes)
        with calls_marked(known, {type(m) for m in modules.values()}, copied=copied):
            if alone or not vmap:
                return one(traced, inputs, jax.random.key(0))
            keys = jax.random.split(jax.random.key(0), _batch(arrays))
            return jax.vmap(lambda x, key: one(traced, x, key), axis_name="batch")(inputs, keys)

    def make(key: Any) -> list[Any]:
        assert start is not None
        made = jax.tree.leaves(start(key))
        return [made[place] for place in places]

    note = ("each example of a batch by itself: jax.vmap over the first axis of the inputs",) if vmap else ()
    name = type(model).__name__
    first = None if start is None else traced_start(make)
    alone = functools.partial(run, alone=True) if vmap else None
    return Call(run, found, arrays, names, name, name, first, note, alone)


def _takes_one(one: Callable[[Any, Any], Any], arrays: Any, together: Callable[[Any], Any]) -> bool:
    """Return whether a module takes one example of a batch, or else not the batch, either."""

    def works(shapes: Any) -> bool:
        given = [jax.ShapeDtypeStruct(shape, a.dtype) for shape, a in zip(shapes, arrays, strict=True)]
        try:
            eqx.filter_eval_shape(lambda found: one(together(found), jax.random.key(0)), given)
        except Exception:  # whatever the user's code raises, it does not take these
            return False
        return True

    batched = [array.shape for array in arrays]
    return works([shape[1:] for shape in batched]) or not works(batched)


def _batch(arrays: Any) -> int:
    sizes = {array.shape[0] for array in arrays}
    if len(sizes) > 1:
        raise FaninError(
            f"The inputs have batches of {', '.join(map(str, sorted(sizes)))}.",
            expected="one size of the batch",
        )
    return sizes.pop() if sizes else 1


def _named(model: Any, places: set[int]) -> Iterator[Leaf]:
    paths = jax.tree_util.tree_leaves_with_path(model)
    for place, (path, leaf) in enumerate(paths):
        if place in places:
            yield Leaf(joined(path), leaf, isinstance(leaf, jax.Array | jax.ShapeDtypeStruct))


def _shapes(module: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Return the shapes of a module's arrays by their paths."""
    return [(name, tuple(leaf.shape)) for name, leaf in named_leaves(module) if not why_kept(leaf)]


def _modules(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, eqx.Module) and callable(node):
        yield path, node
    for name, part in children(node):
        yield from _modules(part, f"{path}.{name}" if path else name)
