"""How a chosen scheme reaches a Keras model: through the builder's argument, or variable by variable."""

from __future__ import annotations

import copy
from typing import Any

import keras

from fanin.frameworks.keras.build import Built, canonical_paths
from fanin.frameworks.keras.initializers import keras_initializer
from fanin.frameworks.keras.known import known_distribution
from fanin.frameworks.keras.parameters import parameters
from fanin.frameworks.training import Choice
from fanin.schemes.distributions import is_random
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


def replacements(choice: Choice, built: Built) -> dict[str, Any]:
    """Return what a scheme puts in place of a model's own initializers, by canonical path.

    It reaches the weights that the model itself draws at random: kernels and recurrent kernels, and
    biases where the scheme has a rule for them. Norms, embeddings and what the builder loaded stay.

    Args:
        choice: The scheme.
        built: The model as its builder made it.
    """
    known = parameters(built.model)
    chosen: dict[str, Any] = {}
    for variable, path in zip(built.model.variables, canonical_paths(built.model), strict=True):
        parameter = known.get(variable.path)
        if variable.trainable and parameter is not None and not built.record.of(variable).assigned:
            value = _replacement(choice.scheme, parameter, variable, built)
            chosen |= {} if value is None else {path: value}
    return chosen


def _replacement(scheme: Any, parameter: Any, variable: Any, built: Built) -> Any:
    if parameter.kind == "bias":
        return scheme.bias_distribution(parameter) if isinstance(scheme, Scheme) else None
    if parameter.kind not in ("kernel", "recurrent") or not _drawn(variable, built):
        return None
    return scheme.distribution(parameter) if isinstance(scheme, Scheme) else scheme


def _drawn(variable: Any, built: Built) -> bool:
    initializer = built.record.of(variable).initializer
    distribution = None if initializer is None else known_distribution(initializer, tuple(variable.shape))
    return initializer is not None and (distribution is None or is_random(distribution))
