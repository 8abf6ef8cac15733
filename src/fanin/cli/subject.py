"""What `fanin check` looks at: the user's model, batch and loss, by their names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError, users_code

if TYPE_CHECKING:
    from fanin.report.diagnosis.record import SourceRecord


def model_of(spec: str, seeds: int) -> Any:
    """Return the model that a spec names, or for several seeds a function that makes it anew.

    Args:
        spec: "file.py:name" or "package.module:name" of a model, or of a function that returns one.
        seeds: How many networks are looked at.

    Raises:
        FaninError: It names none, or several are wanted of one that is made.
    """
    from fanin.experiments.loading import load
    from fanin.experiments.models import as_model
    from fanin.frameworks.find import is_model

    # The first model is made here, before other files of the user's: the backend of Keras is chosen with it.
    made = [as_model(spec)]
    if seeds == 1:
        return made[0]
    if is_model(load(spec, what="a function that returns a model")):
        raise FaninError(f"{spec} is one model.", expected="for --seeds, a function that makes a new one")
    return lambda: made.pop() if made else as_model(spec)


def batch_of(spec: str) -> tuple[Any, Any]:
    """Return the inputs and the targets that a spec names; None for no targets.

    Args:
        spec: "file.py:name" of (x, y), of x, of a function of no arguments that returns them, or of
            something that gives out batches, of which the first is taken.

    Raises:
        FaninError: It names no batch, or the user's code fails.
    """
    from fanin.experiments.builders import required
    from fanin.experiments.loading import load

    found = load(spec, what="a function that returns a batch")
    if callable(found) and not _is_array(found):
        if needed := required(found):
            names = ", ".join(parameter.name for parameter in needed)
            raise FaninError(f"{spec} needs {names}.", expected="a function of no arguments")
        with users_code(f"{spec} fails"):
            found = found()
    with users_code(f"{spec} fails"):
        batch = _first(found)
    if batch is None:
        raise FaninError(f"{spec} returned no batch.", expected="(x, y), or x", fix="return x, y")
    return tuple(batch) if isinstance(batch, tuple | list) and len(batch) == 2 else (batch, None)


def _first(found: Any) -> Any:
    """Return the first batch of what gives out several; a batch is itself."""
    if isinstance(found, tuple | list | Mapping) or _is_array(found) or not hasattr(found, "__iter__"):
        return found
    return next(iter(found), None)


def _is_array(thing: Any) -> bool:
    return hasattr(thing, "shape")


def loss_of(text: str | None) -> str | Callable[..., Any] | None:
    """Return a loss by name, or the user's own.

    Args:
        text: A name, or "file.py:name" of a function (outputs, targets) or of a class of such.

    Raises:
        FaninError: It names no function.
    """
    from fanin.experiments.loading import load

    if text is None or (":" not in text and not text.endswith(".py")):
        return text
    found = load(text, what="a loss")
    if isinstance(found, type):
        with users_code(f"{text} fails"):
            found = found()
    if not callable(found):
        raise FaninError(
            f"{text} is of type {type(found).__name__}, not a loss.", expected="a function (outputs, targets)"
        )
    return found


def home_of(spec: str) -> SourceRecord | None:
    """Return where the model is made: the function's first line, or the class of a model.

    Args:
        spec: As for `model_of`.
    """
    from fanin.experiments.loading import load

    found = inspect.unwrap(load(spec, what="a function that returns a model"))
    written: Any = found if inspect.isroutine(found) or inspect.isclass(found) else type(found)
    try:
        return {"file": inspect.getsourcefile(written) or "", "line": inspect.getsourcelines(written)[1]}
    except (OSError, TypeError):
        place = spec.rpartition(":")[0]
        return {"file": str(Path(place).resolve()), "line": 1} if place.endswith(".py") else None
