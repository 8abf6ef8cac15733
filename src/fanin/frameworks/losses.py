"""Losses that are called in another order than they take what they compare."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from fanin.errors import FaninError

_OUTPUTS = (
    "input", "logit", "logits", "out", "output", "outputs", "pred", "predicted", "prediction", "predictions",
    "preds", "y_hat", "y_pred", "yhat",
)  # fmt: skip
_TARGETS = ("ground_truth", "label", "labels", "target", "targets", "true", "truth", "y", "y_true")
_NAMES = {"torch": "PyTorch", "keras": "Keras", "jax": "JAX"}

Order = Literal["outputs", "targets"]
"""What a loss takes first."""


def check_order(loss: Any, framework: str) -> None:
    """Raise if a loss takes targets first where it is called with outputs first, or the other way round.

    PyTorch and JAX have (outputs, targets), Keras (targets, outputs). Of a library's losses its order is
    known; of others the names of their parameters tell, if they do.

    Args:
        loss: A loss, or several in a list or a mapping, as Keras takes them.
        framework: "torch", "keras", or any other for JAX.

    Raises:
        FaninError: One is called in the wrong order.

    Example:
        >>> check_order(lambda y_true, y_pred: 0.0, "torch")
        Traceback (most recent call last):
        fanin.errors.FaninError: The loss <lambda> takes (targets, outputs), and PyTorch calls losses with \
(outputs, targets).
          fix: lambda outputs, targets: loss(targets, outputs)
    """
    called: Order = "targets" if framework == "keras" else "outputs"
    for one in _leaves(loss):
        library, first = _library(one), _first(one)
        if first is None or first == called:
            continue
        name = getattr(one, "__name__", type(one).__name__)
        whose = f"The loss {name}{f' of {_NAMES[library]}' if library else ''}"
        home = _NAMES.get(framework, "JAX")
        raise FaninError(
            f"{whose} takes {_order(first)}, and {home} calls losses with {_order(called)}.",
            fix=_fix(library, framework, called),
        )


def _leaves(loss: Any) -> Iterator[Any]:
    if isinstance(loss, Mapping):
        loss = list(loss.values())
    if isinstance(loss, list | tuple):
        for one in loss:
            yield from _leaves(one)
    elif callable(loss):
        yield loss


def _library(loss: Any) -> str:
    """Return the framework whose own a loss is; "" where it is none's."""
    while isinstance(loss, functools.partial):
        loss = loss.func
    own = str(getattr(loss, "__module__", ""))
    kinds = () if inspect.isroutine(loss) else type(loss).__mro__
    modules = [own, *(kind.__module__ for kind in kinds)]
    for name, beginning in (("keras", "keras."), ("torch", "torch.nn")):
        if any(module.startswith(beginning) for module in modules):
            return name
    return ""


def _first(loss: Any) -> Order | None:
    """Return what a loss takes first; None where nothing tells."""
    library = _library(loss)
    if library:
        return "targets" if library == "keras" else "outputs"
    try:
        parameters = list(inspect.signature(loss).parameters)[:2]
    except (TypeError, ValueError):
        return None
    if len(parameters) < 2:
        return None
    one, other = (name.lower().lstrip("_") for name in parameters)
    if one in _TARGETS and other in _OUTPUTS:
        return "targets"
    return "outputs" if one in _OUTPUTS and other in _TARGETS else None


def _order(first: Order) -> str:
    return "(targets, outputs)" if first == "targets" else "(outputs, targets)"


def _fix(library: str, framework: str, called: Order) -> str:
    """Return how a loss is called as it wants, where it can be: with the tensors of its own library."""
    if library == "torch" and framework == "keras":
        return 'a loss of Keras, such as "sparse_categorical_crossentropy"'
    if library == "keras" and framework == "torch":
        return "a loss of PyTorch, such as torch.nn.CrossEntropyLoss()"
    if called == "targets":
        return "lambda targets, outputs: loss(outputs, targets)"
    return "lambda outputs, targets: loss(targets, outputs)"
