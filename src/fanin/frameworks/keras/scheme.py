"""How a chosen scheme reaches a Keras model: through the builder's argument, or variable by variable."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import keras

from fanin.errors import FaninError
from fanin.frameworks.keras.apply import check_variables
from fanin.frameworks.keras.build import Built, canonical_paths
from fanin.frameworks.keras.initializers import SchemeInitializer, keras_initializer
from fanin.frameworks.keras.inventory import inventory
from fanin.frameworks.keras.known import known_distribution
from fanin.frameworks.keras.parameters import parameters
from fanin.frameworks.training import Choice
from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import Constant, is_random
from fanin.schemes.plan import InitPlan, Row, make_plan
from fanin.schemes.policy import Policy
from fanin.schemes.scheme import Scheme


def builder_argument(choice: Choice) -> Any:
    """Return what a builder that takes the initializer is given.

    A name that Keras knows is passed as it is, as a script would pass it; every layer then makes its
    own initializer. Other schemes are passed as a fresh Keras initializer.
    """
    if not isinstance(choice.scheme, Scheme):
        return _fresh(choice.scheme)
    return choice.label if _keras_knows(choice.label) else keras_initializer(choice.scheme)


def _keras_knows(name: str) -> bool:
    try:
        keras.initializers.get(name)
    except (KeyError, ValueError):  # a KeyError where the class has no defaults ("constant")
        return False
    return True


def _fresh(initializer: Any) -> Any:
    """Return a copy of an initializer; a class of the user's need not say how to make it again."""
    if type(initializer).__module__.startswith("keras."):
        return initializer.clone()
    return copy.copy(initializer)


def check_given(choice: Choice, built: Built) -> None:
    """Refuse a scheme with a rule for something that the builder does not give it to.

    Args:
        choice: The scheme, which the builder was given as an initializer.
        built: What it made.

    Raises:
        FaninError: Part of the scheme would not be what is trained.
    """
    rules = set(choice.scheme.others) - {"bias"} if isinstance(choice.scheme, Scheme) else set()
    for variable, parameter in zip(built.model.variables, parameters(built.model), strict=True):
        initializer = built.record.of(variable).initializer
        found = rules & {parameter.kind, *parameter.roles}
        if found and not isinstance(initializer, SchemeInitializer):
            raise FaninError(
                f"{choice.label} has a rule for {', '.join(sorted(found))}, but the builder does not give it "
                f"to {parameter.name}.",
                fix="give it there too, or leave the initializer out of the builder: each scheme then "
                "initializes its model anew",
            )


def replacements(choice: Choice, built: Built) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what a scheme puts in place of a model's own initializers, and what to note about it.

    A scheme or a policy draws what its plan for the model says, an initializer of the framework the kernels
    that the model itself draws at random. What the builder loaded stays, and so do the model's own
    initializers of everything else.

    Args:
        choice: The scheme.
        built: The model as its builder made it.

    Returns:
        Rows of the plan, or initializers, by canonical path; the notes of the plan.
    """
    variables = dict(zip(canonical_paths(built.model), built.model.variables, strict=True))
    own = {path: variable for path, variable in variables.items() if not _loaded(variable, built)}
    plan = _plan(choice.scheme, built, variables)
    if plan is not None:
        check_variables(plan, variables)
        rows = {row.parameter.name: row for row in plan if row.parameter.name in own}
        return rows, (*plan.notes, *_rates(rows.values()))
    kernels = [p.name for p in parameters(built.model) if p.kind in ("kernel", "recurrent") and p.name in own]
    drawn = [name for name in kernels if own[name].trainable and _random(own[name], built)]
    return dict.fromkeys(drawn, choice.scheme), ()


def _rates(rows: Iterable[Row]) -> Iterator[str]:
    count = sum(row.lr_multiplier != 1 for row in rows)
    if count:
        yield f"{count} parameters should have learning rates of their own, but all are trained at one."


def _plan(scheme: Any, built: Built, variables: dict[str, Any]) -> InitPlan | None:
    if not isinstance(scheme, Scheme | Policy):
        return scheme if isinstance(scheme, InitPlan) else None
    found = inventory(built.model)
    born = tuple(_as_born(parameter, variables[parameter.name], built) for parameter in found.parameters)
    return make_plan(replace(found, parameters=born), scheme)


def _as_born(parameter: Parameter, variable: Any, built: Built) -> Parameter:
    """Return a parameter that is 0 where its own initializer makes it so: it has not run yet."""
    if _loaded(variable, built):
        return parameter
    own = known_distribution(built.record.of(variable).initializer, parameter.shape)
    return replace(parameter, zero=own == Constant(0.0))


def _loaded(variable: Any, built: Built) -> bool:
    birth = built.record.of(variable)
    return birth.assigned or birth.initializer is None


def _random(variable: Any, built: Built) -> bool:
    distribution = known_distribution(built.record.of(variable).initializer, tuple(variable.shape))
    return distribution is None or is_random(distribution)
