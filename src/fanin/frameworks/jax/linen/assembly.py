"""From what an abstract call shows to the parameters of a Linen model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from fanin.frameworks.jax.axes import stacked
from fanin.frameworks.jax.leaves import shape_of
from fanin.frameworks.jax.linen.calls import Calls
from fanin.frameworks.jax.linen.pairs import pairs_of_layers
from fanin.frameworks.jax.linen.values import leaves
from fanin.frameworks.jax.linen.wiring import Wiring, wired
from fanin.frameworks.jax.making import Shape
from fanin.frameworks.names import named
from fanin.frameworks.roles import Structure
from fanin.graph import roles
from fanin.graph.parameter import Pairs, Parameter


def by_calls(calls: Calls) -> dict[str, Parameter]:
    """Return a model's parameters by name, in the order in which they are used.

    Args:
        calls: What an abstract call of the model shows.
    """
    wiring = wired(calls.jaxpr, calls.data, calls.outputs)
    variables = leaves(calls.variables)
    shapes = {name: shape_of(leaf) for collection, name, leaf in variables if collection == "params"}
    known = {name: parameter for name, parameter in calls.known.items() if name in shapes}
    rest = [name for name in shapes if name not in known]
    known |= {name: _unknown(name, shapes[name], calls) for name in rest}
    stacks = {_layer(name) for name, parameter in known.items() if len(shapes[name]) > len(parameter.shape)}
    scans = {path: length for path, length in wiring.scanned.items() if path in stacks}
    structure = Structure(list(_candidates(calls, scans)))
    pairs = pairs_of_layers(calls.jaxpr, calls.known)
    found = {}
    for name, parameter in known.items():
        whole = replace(_whole(parameter, shapes[name]), blocks=scans.get(_layer(name), 0))
        if whole.kind == "kernel" and whole.shape == parameter.shape:  # not a stack
            whole = replace(whole, pairs=pairs.get(_layer(name), Pairs()))
        found[name] = _connected(structure.placed(whole, _layer(name), wired=True), wiring)
    return {parameter.name: parameter for parameter in named(list(found.values()))}


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _unknown(name: str, shape: Shape, calls: Calls) -> Parameter:
    owner = calls.layers.get(_layer(name))
    return Parameter(name, shape, layer=type(owner).__name__ if owner else "")


def _whole(parameter: Parameter, shape: Shape) -> Parameter:
    """Return a parameter as the model holds it: scan and vmap stack what a layer sees one of."""
    axes = stacked(parameter.axes, parameter.shape, shape)
    if parameter.axes and not axes:  # something between the model and its layer changes it
        return Parameter(parameter.name, shape, layer=parameter.layer)
    kernel = parameter.kernel
    if kernel is not None and len(shape) > len(parameter.shape):
        kernel = replace(kernel, axes=("expert", *kernel.axes), shape=(shape[0], *kernel.shape))
    return replace(parameter, shape=shape, axes=axes, kernel=kernel)


def _connected(parameter: Parameter, wiring: Wiring) -> Parameter:
    """Return a parameter with what its layer is fed by and added to."""
    path, found = _layer(parameter.name), parameter.roles
    if parameter.kind == "kernel" and parameter.blocks and path in wiring.residual:
        found = (*found, roles.residual_out)
    if not parameter.blocks and not found and path in wiring.heads:
        found = {"kernel": (roles.head,), "bias": (roles.head_bias,)}.get(parameter.kind, ())
    return replace(parameter, inputs=wiring.inputs.get(path, ""), roles=found)


def _candidates(calls: Calls, scans: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield (path, class) of the modules of the user's own that call layers, scanned ones left out."""
    for path, module in calls.layers.items():
        inside = [other for other in calls.layers if other.startswith(f"{path}.")]
        plain = type(module).__module__.startswith("flax.linen")
        if path and inside and not plain and scans.keys().isdisjoint(inside):
            yield path, type(module).__name__
