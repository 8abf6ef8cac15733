"""Fixes applied while one looks: other weights, standardized inputs. The model is afterwards as it was."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fanin.frameworks.find import framework_of, front_end, is_model
from fanin.frameworks.given import as_given
from fanin.graph.parameter import Parameter
from fanin.report.diagnosis.paths import around, module_of
from fanin.rules.finding import Fix

if TYPE_CHECKING:
    from fanin.schemes.plan import InitPlan

_WEIGHTS = ("kernel", "recurrent", "embedding")


@dataclass(frozen=True)
class Mending:
    """A model that fixes are tried on; it is afterwards as it was.

    Args:
        model: The model, or a function of JAX.
        x: A batch of inputs; None where they are only described.
        inputs: A description of inputs, where there is no batch.
        options: What its framework needs besides, such as `params` for JAX.
    """

    model: Any
    x: Any
    inputs: Any
    options: Mapping[str, Any]

    def plan(self, fix: Fix) -> InitPlan:
        """Return what a fix draws its weights from."""
        from fanin.schemes.plan import make_plan  # takes long to load, and most checks try no fix

        if self._is_jax:
            inventory = self._jax.parameters(self.model, self._batch, self.options)
        else:
            inventory = front_end(self.model).inventory(self.model)
        return make_plan(inventory, scheme_of(fix))

    @contextlib.contextmanager
    def mended(self, plans: Iterable[InitPlan]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
        """Yield a model with the weights of plans, and its options; they are put back when the block ends.

        Args:
            plans: What to draw.
        """
        network, options = self.model, self.options
        with contextlib.nullcontext() if self._is_jax else self._signals.kept(network):
            for plan in plans:
                if self._is_jax:
                    network, options = self._jax.redrawn(plan, network, self._batch, options)
                else:
                    network = front_end(network).apply_plan(plan, network, 0)
            yield network, options

    @property
    def _batch(self) -> Any:
        return as_given(self.inputs) if self.x is None else (self.x,)

    @property
    def _is_jax(self) -> bool:
        return self._home == "jax"

    @property
    def _home(self) -> str:
        name = framework_of(self.model) if is_model(self.model) else "jax"
        return name if name in ("torch", "keras") else "jax"

    @property
    def _jax(self) -> Any:
        return importlib.import_module("fanin.frameworks.jax.mending")

    @property
    def _signals(self) -> Any:
        return importlib.import_module(f"fanin.frameworks.{self._home}.signals")


def scheme_of(fix: Fix) -> Any:
    """Return what `plan` takes for a fix: its scheme, for the weights of its layers alone if it names some.

    Example:
        >>> scheme_of(Fix("", scheme="he_normal", layers=("fc",))).label
        'policy(fc: he_normal, default: asked to keep)'
    """
    from fanin.schemes.decision import keep
    from fanin.schemes.policy import Policy

    if not fix.layers:
        return fix.scheme
    return Policy({_Within(module_of(layer)): fix.scheme for layer in fix.layers}, default=keep)


class _Within:
    """Tells the parameter of a path, and the weights in what has that path, whatever parts it.

    Args:
        path: The path.
    """

    def __init__(self, path: str) -> None:
        self.__name__ = path

    def __call__(self, parameter: Parameter) -> bool:
        inside = self.__name__ in around(parameter.name) and parameter.kind in _WEIGHTS
        return inside or parameter.name == self.__name__


def standardized(x: Any) -> Any:
    """Return inputs of mean 0 and variance 1: each feature of (examples, features), else all together.

    Args:
        x: Arrays or tensors, in a tuple or a mapping for several; what is no number with a fraction and no
            pixel stays as it is: ids, masks, flags.
    """
    if isinstance(x, Mapping):
        return {name: standardized(value) for name, value in x.items()}
    if isinstance(x, tuple | list) and any(hasattr(one, "shape") for one in x):
        return tuple(map(standardized, x))
    return _standardized(x)


def _standardized(x: Any) -> Any:
    dtype = str(getattr(x, "dtype", ""))
    if "float" not in dtype and "uint8" not in dtype:
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
