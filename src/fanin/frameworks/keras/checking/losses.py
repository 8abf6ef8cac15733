"""The loss of a Keras model: its own, or the user's, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from fanin.errors import FaninError
from fanin.frameworks.labels import PAIRWISE, loss_name
from fanin.frameworks.vitals.inputs import random_target
from fanin.rules.vitals import Loss

_KINDS: dict[str, Loss] = {
    "categorical_crossentropy": "cross_entropy",
    "sparse_categorical_crossentropy": "cross_entropy",
    "binary_crossentropy": "binary_cross_entropy",
    "mean_squared_error": "mse",
}
"""Losses by the names of Keras' functions."""


@dataclass(frozen=True)
class Term:
    """A loss of one output.

    Args:
        function: From (targets, output) to the loss.
        kind: What it is.
        logits: Whether it takes logits.
        sparse: Whether targets are classes.
        weight: What it is multiplied with.
        ignored: The class that it leaves out.
        pairwise: Whether it compares number with number, and broadcasts what has another shape.
    """

    function: Callable[[Any, Any], Any]
    kind: Loss = "other"
    logits: bool = True
    sparse: bool = False
    weight: float = 1.0
    ignored: int | None = None
    pairwise: bool = False


def _cross_entropy(targets: Any, output: Any) -> Any:
    if tuple(targets.shape) == tuple(output.shape):
        return keras.losses.categorical_crossentropy(targets, output, from_logits=True)
    return keras.losses.sparse_categorical_crossentropy(targets, output, from_logits=True)


def _binary(targets: Any, output: Any) -> Any:
    return keras.losses.binary_crossentropy(targets, output, from_logits=True)


NAMED: dict[str, Term] = {
    "cross_entropy": Term(_cross_entropy, "cross_entropy", sparse=True),
    "binary_cross_entropy": Term(_binary, "binary_cross_entropy"),
}
"""Losses by fanin's own names, of logits; Keras has more."""


def terms_of(model: keras.Model, loss: Any, names: Sequence[str]) -> list[Term | None]:
    """Return the loss of each output of a model; None for those without; [] where there is no loss at all.

    Args:
        model: The model.
        loss: A loss, or several as `compile` takes them; None for what the model was compiled with.
        names: Of the outputs.

    Raises:
        FaninError: There is no such loss.
    """
    weights: Any = None
    if loss is None:
        loss, weights = getattr(model, "loss", None), _weights(model)
    if loss is None:
        return []
    several = _each(loss, names)
    factors = [
        1.0 if one is None else float(one) for one in _each(1.0 if weights is None else weights, names)
    ]
    return [
        None if one is None else _weighted(_term(one), factor)
        for one, factor in zip(several, factors, strict=True)
    ]


def _weights(model: keras.Model) -> Any:
    config = getattr(model, "_compile_config", None)
    return None if config is None else config.config.get("loss_weights")


def _each(value: Any, names: Sequence[str]) -> list[Any]:
    """Return one value for each output, of what is given by name, in order, or once for all."""
    if isinstance(value, Mapping):
        return [value.get(name) for name in names]
    if isinstance(value, list | tuple) and not callable(value):
        return [*value, *[None] * len(names)][: len(names)]
    return [value] * len(names)


def _weighted(term: Term, weight: float) -> Term:
    return replace(term, weight=weight)


def _term(loss: Any) -> Term:
    if isinstance(loss, str) and loss in NAMED:
        return NAMED[loss]
    try:
        found = keras.losses.get(loss)
    except (ValueError, TypeError) as error:
        expected = f"one of {', '.join([*NAMED, 'mse'])}, or a loss of Keras"
        raise FaninError(f"There is no loss {loss!r}.", expected=expected) from error
    if not callable(found):
        raise FaninError(f"{loss!r} is no loss.", expected="a loss of Keras, its name, or None")
    name = _name(found)
    kind = _KINDS.get(name, "other")
    config = found.get_config() if isinstance(found, keras.losses.Loss) and kind != "other" else {}
    logits = kind in ("mse", "other") or bool(config.get("from_logits", False))
    function = found if isinstance(found, keras.losses.Loss) else _of_one_rank(found)
    pairwise = _is_kerass(found) and loss_name(found) in PAIRWISE
    return Term(
        function,
        kind,
        logits,
        name.startswith("sparse"),
        ignored=config.get("ignore_class"),
        pairwise=pairwise,
    )


def _of_one_rank(loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a loss whose targets and outputs have the same axes, as `compile` sees to for functions."""

    def fitted(targets: Any, output: Any) -> Any:
        more = len(output.shape) - len(targets.shape)
        if more == 1 and output.shape[-1] == 1:
            targets = keras.ops.expand_dims(targets, -1)
        elif more == -1 and targets.shape[-1] == 1:
            targets = keras.ops.squeeze(targets, -1)
        return loss(targets, output)

    return fitted


def _name(loss: Any) -> str:
    """Return the name of the function that a loss is."""
    own = type(loss).__name__ if isinstance(loss, keras.losses.Loss) else getattr(loss, "__name__", "")
    if not _is_kerass(loss):
        return ""
    classes = {name.replace("_", ""): name for name in _KINDS}
    return classes.get(own.replace("_", "").lower(), "")


def _is_kerass(loss: Any) -> bool:
    """Return whether a loss is one of Keras' own."""
    module = type(loss).__module__ if isinstance(loss, keras.losses.Loss) else getattr(loss, "__module__", "")
    return str(module).startswith("keras.")


def is_broadcast(term: Term, target: tuple[int, ...], output: tuple[int, ...]) -> bool:
    """Return whether a loss compares each output with several targets.

    Args:
        term: The loss.
        target: Shape of the targets.
        output: Shape of what they are compared with.
    """
    same_axes = term.pairwise and len(target) == len(output)
    return same_axes and np.broadcast_shapes(target, output) != output


def target_for(term: Term, shape: tuple[int, ...], random: np.random.Generator) -> Any:
    """Return targets at random.

    Args:
        term: The loss.
        shape: Of the output.
        random: Where they come from.

    Raises:
        FaninError: Nobody knows what such a loss compares outputs with.
    """
    if term.kind == "other":
        raise FaninError("There are no targets.", expected="y, what the loss compares outputs with")
    made = random_target(term.kind, shape, random)
    if term.kind == "cross_entropy" and not term.sparse:
        return np.eye(shape[-1], dtype=np.float32)[made]
    return made


def total(terms: Sequence[Term | None], targets: Sequence[Any], outputs: Sequence[Any]) -> Any:
    """Return the sum of the means of losses."""
    ops: Any = keras.ops
    parts = [
        ops.mean(term.function(target, output)) * term.weight
        for term, target, output in zip(terms, targets, outputs, strict=True)
        if term is not None
    ]
    return sum(parts[1:], parts[0])
