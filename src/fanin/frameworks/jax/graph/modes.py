"""The names that models give to whether they are trained."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

_TRAINS = ("train", "training", "is_training")
_INFERS = ("deterministic", "use_running_average", "inference")


def mode_keywords(call: Callable[..., Any], train: bool, given: Mapping[str, Any]) -> dict[str, bool]:
    """Return the keywords that tell a call whether the model is trained, those that are not given.

    Args:
        call: The model's call.
        train: Whether it is trained.
        given: Keywords of the call.

    Example:
        >>> def call(x, train=True, *, deterministic=None): ...
        >>> mode_keywords(call, False, {})
        {'train': False, 'deterministic': True}
    """
    try:
        parameters = inspect.signature(call).parameters
    except (TypeError, ValueError):
        return {}
    known = dict.fromkeys(_TRAINS, train) | dict.fromkeys(_INFERS, not train)
    return {name: value for name, value in known.items() if name in parameters and name not in given}
