"""Fixes applied while one looks: other weights, standardized inputs. The model is afterwards as it was."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from fanin.frameworks.find import framework_of, is_model
from fanin.frameworks.given import as_given
from fanin.rules.finding import Fix
from fanin.schemes.decision import keep
from fanin.schemes.plan import InitPlan
from fanin.schemes.policy import Policy


def scheme_of(fix: Fix) -> Any:
    """Return what `plan` takes for a fix: its scheme, for its layers alone if it names some."""
    if not fix.layers:
        return fix.scheme
    return Policy({name: fix.scheme for layer in fix.layers for name in (layer, f"{layer}.*")}, default=keep)


@contextlib.contextmanager
def mended(model: Any, plans: Iterable[InitPlan], x: Any, options: Mapping[str, Any]) -> Iterator[Any]:
    """Yield a model with the weights of plans; they are put back when the block ends.

    Args:
        model: The model.
        plans: What to draw.
        x: A batch of inputs, which some frameworks need.
        options: What its framework needs besides.
    """
    framework = _signals(model)
    with framework.kept(model):
        network = model
        for plan in plans:
            network = framework.drawn(plan, network, 0, as_given(_shapes(x)), **options)
        yield network


def standardized(x: Any) -> Any:
    """Return inputs of mean 0 and variance 1: each feature of (examples, features), else all together.

    Args:
        x: Arrays or tensors, in a tuple or a mapping for several; whole numbers stay as they are.
    """
    if isinstance(x, Mapping):
        return {name: standardized(value) for name, value in x.items()}
    if isinstance(x, tuple | list) and any(hasattr(one, "shape") for one in x):
        return tuple(map(standardized, x))
    return _standardized(x)


def _standardized(x: Any) -> Any:
    if "int" in str(x.dtype) and "uint8" not in str(x.dtype):
        return x
    detached = getattr(x, "detach", None)
    values = np.asarray(x if detached is None else detached().cpu(), float)
    axes = 0 if values.ndim == 2 else None
    sd = np.std(values, axis=axes, keepdims=values.ndim == 2)
    found = (values - np.mean(values, axis=axes, keepdims=values.ndim == 2)) / np.where(sd > 0, sd, 1.0)
    return _like(x, found.astype(np.float32))


def _like(x: Any, values: np.ndarray) -> Any:
    """Return values in the kind of array that x is."""
    return x.new_tensor(values, dtype=_floating(x)) if hasattr(x, "new_tensor") else values


def _floating(x: Any) -> Any:
    return x.dtype if x.is_floating_point() else None


def _shapes(x: Any) -> Any:
    """Return inputs as descriptions: several in a tuple or a mapping."""
    if isinstance(x, Mapping):
        return dict(x)
    return tuple(x) if isinstance(x, tuple | list) and any(hasattr(one, "shape") for one in x) else x


def _signals(model: Any) -> Any:
    name = framework_of(model) if is_model(model) else "jax"
    home = {"torch": "torch", "keras": "keras"}.get(name, "jax")
    return importlib.import_module(f"fanin.frameworks.{home}.signals")
