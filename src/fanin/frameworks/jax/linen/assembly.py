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
from fanin.frameworks.roles import Structure, streamed
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
    pairs, places = pairs_of_layers(calls.jaxpr, calls.known), _Places(wiring)
    found = {}
    for name, parameter in known.items():
        whole = replace(_whole(parameter, shapes[name]), blocks=scans.get(_layer(name), 0))
        if whole.kind == "kernel" and whole.shape == parameter.shape:  # not a stack
            whole = replace(whole, pairs=pairs.get(_layer(name), Pairs()))
        found[name] = places.connected(structure.placed(whole, _layer(name), wired=True))
    told = streamed(list(named(list(found.values()))))
    return {parameter.name: parameter for parameter in told}


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


class _Places:
    """What the wiring of a model tells of the layers in it."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        found = {branch.last: (branch, count) for branch, count in wiring.branches}
        self._count = sum(count for _, count in found.values())
        self._norms = {branch.norm for branch, _ in found.values()}
        self._roles = {path: roles.shortcut for branch, _ in found.values() for path in branch.shortcut}
        self._roles |= dict.fromkeys(found, roles.residual_out)
        # What is in several is of the smallest.
        largest_first = sorted((branch for branch, _ in found.values()), key=lambda b: -len(b.inside))
        self._depths = {path: branch.depth for branch in largest_first for path in branch.inside}

    def connected(self, parameter: Parameter) -> Parameter:
        """Return a parameter with what its layer is fed by, the branch that it is in, and what it ends."""
        path, found = _layer(parameter.name), parameter.roles
        told = {"inputs": self._wiring.inputs.get(path, ""), "branches": self._count}
        if parameter.kind == "kernel":
            told["branch"] = self._depths.get(path, 0)
            found = (*found, *((self._roles[path],) if path in self._roles else ()))
        elif parameter.kind == "norm" and path in self._norms and parameter.name.endswith("scale"):
            found = (*found, roles.residual_norm)
        if not parameter.blocks and not found and path in self._wiring.heads:
            found = {"kernel": (roles.head,), "bias": (roles.head_bias,)}.get(parameter.kind, ())
        return replace(parameter, **told, roles=tuple(dict.fromkeys(found)))


def _candidates(calls: Calls, scans: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield (path, class) of the modules of the user's own that call layers, scanned ones left out."""
    for path, module in calls.layers.items():
        inside = [other for other in calls.layers if other.startswith(f"{path}.")]
        plain = type(module).__module__.startswith("flax.linen")
        if path and inside and not plain and scans.keys().isdisjoint(inside):
            yield path, type(module).__name__
