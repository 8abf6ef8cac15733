"""An abstract call of a Linen module: which layers it calls, with which parameters, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.core import meta
from jax.ad_checkpoint import checkpoint_name

from fanin.errors import users_code
from fanin.frameworks.jax.flax.parts import part_of
from fanin.frameworks.jax.graph.trace import of_values
from fanin.frameworks.jax.leaves import shape_of
from fanin.frameworks.jax.linen.layers import NORMS, RESCALING, layer_parameters
from fanin.frameworks.jax.linen.tags import Tag
from fanin.graph.parameter import Parameter


@dataclass
class Calls:
    """What a call shows.

    Args:
        known: What layers say of their own parameters, by path, in the order of the calls.
        layers: Class of the module at every path, outer ones first.
        variables: Descriptions of the model's variables.
        jaxpr: The whole call as a program, with the inputs and outputs of every layer tagged.
        data: Which of the program's inputs are the model's.
        outputs: How many of the program's outputs, the last ones, are the model's.
    """

    known: dict[str, Parameter] = field(default_factory=dict)
    layers: dict[str, nn.Module] = field(default_factory=dict)
    variables: Any = None
    jaxpr: Any = None
    data: range = range(0)
    outputs: int = 0


def called(module: nn.Module, variables: Any, inputs: Sequence[Any], keywords: Mapping[str, Any]) -> Calls:
    """Return what an abstract call shows; nothing is computed, unless what the model does depends on values.

    Args:
        module: The model.
        variables: Its variables, or None to trace their initialization.
        inputs: Positional arguments of the call; arrays may be descriptions (`jax.ShapeDtypeStruct`).
        keywords: Other arguments of the call.

    Raises:
        FaninError: The model cannot be called with these inputs.
    """
    calls = Calls()
    arrays, together = _separated((tuple(inputs), dict(keywords)))

    def run(variables: Any, arrays: Any) -> Any:
        positional, named = together(arrays)
        rngs = jax.random.key(0)
        if variables is None:
            outputs, variables = module.init_with_output(rngs, *positional, **named)
            return variables, outputs
        outputs, _ = module.apply(variables, *positional, rngs={"params": rngs}, mutable=True, **named)
        return variables, outputs

    with users_code("The model fails on the example inputs"), nn.intercept_methods(_Recorder(calls)):
        try:
            calls.jaxpr, (calls.variables, outputs) = jax.make_jaxpr(run, return_shape=True)(
                variables, arrays
            )
        except Exception as error:
            if of_values(error) is None:
                raise
            return _run(calls, run, variables, arrays)
    calls.outputs = len(jax.tree.leaves(outputs))
    count = len(jax.tree.leaves(variables))
    calls.data = range(count, count + len(arrays))
    return calls


def _run(calls: Calls, run: Callable[[Any, Any], Any], variables: Any, arrays: list[Any]) -> Calls:
    """Return what a call shows of a model that depends on values: its layers, not how they connect."""
    variables, arrays = jax.tree.map(_zeros, (variables, arrays))
    calls.variables, _ = run(variables, arrays)
    calls.jaxpr = jax.make_jaxpr(lambda *given: ())(calls.variables, arrays)
    return calls


def _zeros(value: Any) -> Any:
    return jnp.zeros(value.shape, value.dtype) if isinstance(value, jax.ShapeDtypeStruct) else value


def _separated(arguments: Any) -> tuple[list[Any], Callable[[Any], Any]]:
    """Return the arrays among some arguments, and a function that puts others in their places."""
    leaves, structure = jax.tree.flatten(arguments)
    places = [place for place, leaf in enumerate(leaves) if hasattr(leaf, "dtype")]

    def together(arrays: list[Any]) -> Any:
        filled = list(leaves)
        for place, array in zip(places, arrays, strict=True):
            filled[place] = array
        return jax.tree.unflatten(structure, filled)

    return [leaves[place] for place in places], together


class _Recorder:
    """Takes note of every method that a module is called with."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._running: list[nn.Module] = []

    def __call__(self, call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        module = context.module
        if module.scope is None:
            return call(*args, **kwargs)
        path = ".".join(module.path)
        self._calls.layers.setdefault(path, module)
        plain = _is_layer(module) and context.method_name == "__call__"
        self._running.append(module)
        outputs = call(*(_tagged(args, Tag("in", path)) if plain else args), **kwargs)
        self._running.pop()
        known = self._note(module, path, args[1] if len(args) > 1 else kwargs.get("einsum_str"))
        kernel = any(p.kind in ("kernel", "recurrent") for p in known)
        made = "norm" if isinstance(module, NORMS) else type(module).__name__
        return _tagged((outputs,), Tag("out", path, made, kernel))[0] if plain else outputs

    def _note(self, module: nn.Module, path: str, second: Any) -> list[Parameter]:
        shapes = {
            name: shape_of(jax.tree.leaves(value)[0])
            for name, value in module.variables.get("params", {}).items()
            if hasattr(value, "shape") or isinstance(value, meta.AxisMetadata)
        }
        part = part_of(module.parent, str(module.name))
        equation = second if isinstance(second, str) else None
        found = layer_parameters(module, shapes, path, part, equation)
        if any(isinstance(outer, RESCALING) for outer in self._running):
            outer = type(next(m for m in self._running if isinstance(m, RESCALING))).__name__
            found = {
                name: p if p.kind == "bias" else replace(Parameter(p.name, p.shape), layer=outer)
                for name, p in found.items()
            }
        self._calls.known.update({p.name: p for p in found.values()})
        return list(found.values())


def _is_layer(module: nn.Module) -> bool:
    """Return whether a module is one of Flax's own, and not made of others."""
    composed = (nn.RNN, nn.Sequential, nn.RNNCellBase, nn.MultiHeadDotProductAttention, *RESCALING)
    passing = (nn.Dropout,)
    ours = type(module).__module__.startswith("flax.linen")
    return ours and not isinstance(module, (*composed, *passing))


def _tagged(values: tuple[Any, ...], tag: Tag) -> tuple[Any, ...]:
    """Return some values with a tag on the first one, if that is an array."""
    if not values or not isinstance(values[0], jax.Array):
        return values
    return (checkpoint_name(values[0], str(tag)), *values[1:])
