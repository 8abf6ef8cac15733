"""Rules for operators that are not of the closed set, by their frameworks' names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import overload

from fanin.errors import FaninError
from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.draws import Array
from fanin.theory.propagation.functions import Function, slope_of
from fanin.theory.propagation.rules.pointwise import applied_to
from fanin.theory.propagation.signal import Result, Value

Rule = Callable[[Node, list[Value], Context], Result]
"""From a node, the values that it reads and the context to its value, and how gradients go back."""

_REGISTERED: dict[str, Rule] = {}


@overload
def register_rule(operator: str, rule: Rule) -> Rule: ...


@overload
def register_rule(operator: str) -> Callable[[Rule], Rule]: ...


def register_rule(operator: str, rule: Rule | None = None) -> Callable[[Rule], Rule] | Rule:
    """Tell what an operator that is unknown does to signals; `propagate` then goes on behind it.

    Args:
        operator: Its name, as a profile says it where it stops: "mylib.scale" for PyTorch,
            "my_primitive" for JAX.
        rule: What `elementwise` returns, or a function from the node, its inputs and the context to a
            `fanin.theory.propagation.signal.Result`; without it this is a decorator.

    Returns:
        The rule, or the decorator.

    Raises:
        FaninError: The operator is no text, or the rule no function.

    Example:
        >>> import numpy as np
        >>> rule = register_rule("mylib.cube", elementwise(lambda x: x**3, lambda x: 3 * x**2))
        >>> registered("mylib.cube") is rule
        True
    """
    if not isinstance(operator, str) or not operator:
        raise FaninError(f"{operator!r} is no operator.", expected="its name, as a profile says it")
    if rule is None:
        return functools.partial(_register, operator)
    return _register(operator, rule)


def _register(operator: str, rule: Rule) -> Rule:
    if not callable(rule):
        raise FaninError(
            f"{rule!r} is no rule.",
            expected="a function of a node, its inputs and the context",
            fix="fanin.theory.elementwise(f) for a function of elements",
        )
    _REGISTERED[operator] = rule
    return rule


def registered(operator: str) -> Rule | None:
    """Return the rule of an operator, if it has one."""
    return _REGISTERED.get(operator)


def elementwise(value: Callable[..., Array], *slopes: Callable[..., Array]) -> Rule:
    """Return the rule of a function that is applied to each element, of one value or several.

    Args:
        value: From float64 arrays that broadcast to the function's values.
        slopes: The derivative with respect to each operand, from the same arrays; numerical without.

    Example:
        >>> import numpy as np
        >>> callable(elementwise(np.tanh))
        True
    """
    function = Function(value, slope_of(value, slopes))

    def rule(node: Node, inputs: list[Value], context: Context) -> Result:
        return applied_to(
            replace(node, attributes={"function": node.get("operator", "")}), inputs, function, context
        )

    return rule
