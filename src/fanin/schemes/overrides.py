"""Roles that the user gives to parameters, in the place of those that were inferred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fanin.errors import FaninError
from fanin.graph.inventory import Inventory
from fanin.graph.parameter import Parameter
from fanin.schemes.policy import Selector, matches

Roles = Mapping[Selector, str | Sequence[str]]
"""From selectors (see `fanin.Policy`) to a role, or several, or none."""


def with_roles(inventory: Inventory, roles: Roles) -> Inventory:
    """Return an inventory whose parameters have the roles that they are given; the last selector decides.

    Args:
        inventory: The model's parameters with the roles that were inferred.
        roles: From selectors to the roles that take the place of these.

    Raises:
        FaninError: A selector means no parameter.

    Example:
        >>> kernel = Parameter("out.weight", (2, 8), "kernel", ("out", "in"), roles=("residual_out",))
        >>> with_roles(Inventory((kernel,)), {"out.*": "head"}).parameters[0].roles
        ('head',)
    """
    for selector in roles:
        if not any(matches(selector, parameter) for parameter in inventory.parameters):
            raise FaninError(
                f"The role {roles[selector]!r} is given to {selector!r}, which means no parameter.",
                expected="a name or a pattern of names",
                fix="fanin.plan lists the names",
            )
    return replace(inventory, parameters=tuple(_given(each, roles) for each in inventory.parameters))


def _given(parameter: Parameter, roles: Roles) -> Parameter:
    for selector, given in reversed(list(roles.items())):
        if matches(selector, parameter):
            named = (given,) if isinstance(given, str) else tuple(given)
            return replace(parameter, roles=tuple(role for role in named if role))
    return parameter
