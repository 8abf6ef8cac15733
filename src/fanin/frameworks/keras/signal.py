"""The signal graph of a built Keras model, through the framework that Keras computes with."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import keras

from fanin.errors import FaninError
from fanin.frameworks.keras.build import canonical_paths, unnumbered
from fanin.frameworks.keras.gates import laws_of_gates
from fanin.graph.signal import SignalGraph

if TYPE_CHECKING:
    from fanin.frameworks.jax.graph.trace import Call


def signal_graph(
    model: keras.Model, inputs: Any, *, train: bool = False, laws: Mapping[str, Any] | None = None
) -> SignalGraph:
    """Return what a Keras model computes, without running it.

    Weights have the laws of their own values, which a built model has.

    Args:
        model: A built model.
        inputs: What it is called with: an array or a description of one (shape and dtype), a list of
            several for a functional model of several inputs, or a tuple of arguments.
        train: Whether as in training.
        laws: Laws of weights by name, in place of those of their values.

    Returns:
        The graph, its weights under the names of `fanin.plan`.

    Raises:
        FaninError: The model is not built or cannot be traced, there is no input, or Keras runs on
            TensorFlow.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="relu")])
        >>> graph = signal_graph(model, np.zeros((8, 3), "float32"))
        >>> [node.op for node in graph if node.op != "parameter"]
        ['input', 'linear', 'reshape', 'elementwise', 'elementwise']
    """
    laws = {**laws_of_gates(model), **(laws or {})}
    if backend_of(model) == "torch":
        return _on_torch(model, inputs, train, laws)
    from fanin.frameworks.jax.graph.convert import converted

    return converted(call_on_jax(model, inputs, train), laws)


def backend_of(model: keras.Model) -> str:
    """Return what a built model computes with, "jax" or "torch".

    Raises:
        FaninError: The model is not built, or Keras runs on TensorFlow.
    """
    backend = keras.backend.backend()
    if not model.built or not all(layer.built for layer in model._flatten_layers()):
        raise FaninError(
            f"{model.name} is not built: its variables have no shapes yet.",
            fix="model.build((None, 20)), with the shape of a batch of inputs, or call it on one",
        )
    if backend not in ("jax", "torch"):
        raise FaninError(
            f"Keras runs on {backend}, whose programs fanin does not read.",
            expected="Keras on jax or torch",
            fix="KERAS_BACKEND=jax, and make the model there",
        )
    return backend


def variables_of(model: keras.Model) -> list[Any]:
    """Return a model's variables as its stateless call takes them: those that are trained first."""
    return [*model.trainable_variables, *model.non_trainable_variables]


def call_on_jax(model: keras.Model, inputs: Any, train: bool) -> Call:
    """Return how a model on JAX is called.

    Args:
        model: A built model.
        inputs: As for `signal_graph`.
        train: Whether as in training.
    """
    from fanin.frameworks.jax.graph.tags import Place, calls_marked
    from fanin.frameworks.jax.graph.trace import Call, Leaf, arguments, separated

    given = arguments(as_called(model, inputs), model.name)
    arrays, names, together = separated(given, {}, type(model).call, 1)
    paths = dict(zip(map(id, model.variables), canonical_paths(model), strict=True))
    places = {key: Place(*place) for key, place in places_of(model).items()}
    count = len(model.trainable_variables)

    def run(values: list[Any], given: Any) -> Any:
        positional, _ = together(given)
        with calls_marked(places, {keras.layers.Layer}):
            state = values[:count], values[count:]
            return model.stateless_call(*state, *positional, **mode_of(model, train))[0]

    leaves = [Leaf(paths[id(v)], v.value, v.trainable) for v in variables_of(model)]
    return Call(run, leaves, arrays, _names(model, names), model.name, type(model).__name__)


def _on_torch(model: keras.Model, inputs: Any, train: bool, laws: Mapping[str, Any] | None) -> SignalGraph:
    from fanin.frameworks.keras.as_torch import AsModule, tensors
    from fanin.frameworks.torch.graph import signal_graph as of_module

    given = as_called(model, inputs)
    given = given if isinstance(given, tuple) or given is None else (given,)
    module = AsModule(model, {key: place.path for key, place in places_of(model).items()}, train=train)
    graph = of_module(module, tensors(given), train=train, laws=laws)
    weights = (replace(weight, trainable=module.is_trained(weight.name)) for weight in graph.weights)
    return replace(graph, name=model.name, weights=tuple(weights))


def mode_of(model: keras.Model, train: bool) -> dict[str, bool]:
    """Return the argument of a model's call that says whether it is trained."""
    return {"training": train} if getattr(model, "_call_has_training_arg", True) else {}


def as_called(model: keras.Model, inputs: Any) -> Any:
    """Return the arguments of a call: of a functional model of several inputs, one list of them."""
    several = isinstance(inputs, list | tuple) and len(inputs) > 1
    own = getattr(model, "_inputs", None)
    return (list(inputs),) if several and own is not None and len(own) == len(inputs) else inputs


def _names(model: keras.Model, names: list[str]) -> list[str]:
    own = getattr(model, "_inputs", None) or ()
    found = [unnumbered(tensor.name) for tensor in own]
    return found if len(set(found)) == len(names) else names


class LayerPlace(NamedTuple):
    """Path and type of a layer."""

    path: str
    type: str


def places_of(model: keras.Model) -> dict[int, LayerPlace]:
    """Return path and type of each layer in a model by its id; paths are those that its variables have."""
    known = dict(_prefixes(model))
    used = set(known.values())
    places: dict[int, LayerPlace] = {}
    for layer in model._flatten_layers(include_self=False):
        path = known.get(_path(layer)) or _unlike(layer, known, used)
        used.add(path)
        places[id(layer)] = LayerPlace(path, type(layer).__name__)
    return places


def _prefixes(model: keras.Model) -> Iterator[tuple[str, str]]:
    """Yield what begins the paths of variables, with what begins their canonical ones."""
    for variable, name in zip(model.variables, canonical_paths(model), strict=True):
        mine, theirs = variable.path.split("/"), name.split("/")
        for count in range(1, len(mine)):
            yield "/".join(mine[:count]), "/".join(theirs[:count])


def _path(layer: Any) -> str:
    return layer.path or layer.name


def _unlike(layer: Any, known: Mapping[str, str], used: set[str]) -> str:
    """Return a path for a layer without variables that no other one has."""
    above, _, name = _path(layer).rpartition("/")
    base = "/".join(part for part in (known.get(above, unnumbered(above)), unnumbered(name)) if part)
    others = (f"{base}_{number}" for number in itertools.count(1))
    return next(path for path in itertools.chain([base], others) if path not in used)
