"""A Linen model's parameters and other variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from flax import linen as nn

from fanin.errors import FaninError
from fanin.frameworks.jax.leaves import shape_of, typed, why_kept
from fanin.frameworks.jax.linen.assembly import by_calls
from fanin.frameworks.jax.linen.calls import called
from fanin.frameworks.jax.linen.names import by_name
from fanin.frameworks.jax.linen.values import leaves
from fanin.graph.inventory import Inventory, Kept
from fanin.graph.parameter import Parameter

_NO_KEYWORDS: Mapping[str, Any] = MappingProxyType({})


def inventory(
    module: nn.Module,
    variables: Any = None,
    *,
    inputs: Sequence[Any] | None = None,
    keywords: Mapping[str, Any] = _NO_KEYWORDS,
) -> Inventory:
    """Return what a Linen model is made of.

    With example inputs the model is called abstractly, and every layer says what its parameters are.
    Without them only automatic names such as "Dense_0" are known, and what they say for sure.

    Args:
        module: The model, unbound.
        variables: Its variables, arrays or descriptions of them; needed where there are no inputs.
        inputs: Positional arguments of its call, or one array; arrays may be `jax.ShapeDtypeStruct`.
        keywords: Other arguments of its call, such as train=False.

    Raises:
        FaninError: There are neither variables nor inputs, or the model fails on the inputs.

    Example:
        >>> import jax
        >>> found = inventory(nn.Dense(5), inputs=[jax.ShapeDtypeStruct((1, 3), "float32")])
        >>> [(p.name, p.shape, p.kind) for p in found.parameters]
        [('kernel', (3, 5), 'kernel'), ('bias', (5,), 'bias')]
    """
    if inputs is None:
        source = f"{type(module).__name__} (flax.linen, without example inputs)"
        return _listed(_checked(variables), by_name(_checked(variables)), source)
    if hasattr(inputs, "dtype"):
        inputs = (inputs,)  # one array is one argument, not a sequence of its rows
    calls = called(module, None if variables is None else _checked(variables), inputs, keywords)
    found = by_calls(calls)
    return _listed(calls.variables, found, f"{type(module).__name__} (flax.linen)")


def _checked(variables: Any) -> Any:
    if not isinstance(variables, Mapping) or "params" not in variables:
        raise FaninError(
            f"A {type(variables).__name__} is no Linen model's variables.",
            expected='a mapping with "params", or example inputs',
            fix="pass what module.init returns",
        )
    return variables


def _listed(variables: Any, known: Mapping[str, Parameter], source: str) -> Inventory:
    """Return the inventory of some variables: known parameters first, in the order that they are known in."""
    parameters, kept = {}, []
    for collection, name, leaf in leaves(variables):
        reason = why_kept(leaf) if collection == "params" else f"buffer ({collection})"
        if reason:
            full = name if collection == "params" else f"{collection}.{name}"
            kept.append(Kept(full, shape_of(leaf), reason))
        else:
            parameters[name] = typed(known.get(name) or Parameter(name, shape_of(leaf)), leaf)
    order = {name: place for place, name in enumerate(known)}
    found = sorted(parameters.values(), key=lambda p: order.get(p.name, len(order)))
    return Inventory(tuple(found), tuple(kept), source)
