"""Finding weights that Keras would make bit-identical: one seeded initializer for several layers."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from fanin.frameworks.keras.build import Built, canonical_paths
from fanin.frameworks.keras.known import known_distribution
from fanin.schemes.distributions import is_random


def shared_initializers(built: Built, *, given: Any = None) -> list[str]:
    """Return a note for each group of variables to which Keras would give identical random values.

    A Keras initializer draws from a seed that is fixed when it is made, so an object (or a seed)
    shared by layers of one shape gives them the same weights, and their units start as copies.

    Args:
        built: The model, with the births of its variables.
        given: The initializer that fanin itself handed to the builder, which is no fault of the user.
    """
    groups: dict[Any, list[str]] = defaultdict(list)
    for variable, path in zip(built.model.variables, canonical_paths(built.model), strict=True):
        initializer = built.record.of(variable).initializer
        if initializer is not given and _seeded_random(initializer, variable):
            groups[_identity(initializer), tuple(variable.shape)].append(path)
    return [_note(paths) for paths in groups.values() if len(paths) > 1]


def _seeded_random(initializer: Any, variable: Any) -> bool:
    if not isinstance(getattr(initializer, "seed", None), int):
        return False
    distribution = known_distribution(initializer, tuple(variable.shape))
    return distribution is None or is_random(distribution)


def _identity(initializer: Any) -> str:
    config = {**initializer.get_config(), "seed": initializer.seed}
    return type(initializer).__name__ + json.dumps(config, sort_keys=True, default=str)


def _note(paths: list[str]) -> str:
    return (
        f"{', '.join(paths)} share one seeded initializer: Keras would give them identical weights. "
        "fanin drew each its own; in your script, make one initializer a layer."
    )
