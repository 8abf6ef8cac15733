"""Watching a builder: which initializer each variable was born with, and whether it was overwritten."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import keras
import numpy as np
from keras.src.backend.common.stateless_scope import in_stateless_scope

from fanin.frameworks.keras.known import bare, known_distribution
from fanin.schemes.distributions import is_random
from fanin.schemes.draw import draw


@dataclass
class Birth:
    """How one variable came to be.

    Args:
        variable: The Keras variable.
        initializer: The callable that made its first value, or None when it was given an array.
        assigned: Whether the builder gave it another value afterwards.
    """

    variable: Any
    initializer: Callable[..., Any] | None
    assigned: bool = False


@dataclass
class Record:
    """The births of all variables that a builder made."""

    births: dict[int, Birth] = field(default_factory=dict)

    def of(self, variable: Any) -> Birth:
        """Return a variable's birth; one that was made before the recording counts as given."""
        return self.births.get(id(variable)) or Birth(variable, None)


@contextlib.contextmanager
def recording(*, draw: bool) -> Iterator[Record]:
    """Record every Keras variable made in the block.

    Args:
        draw: Whether random initializers run. Without it (on JAX only) their variables start as zeros,
            which spares compiling random kernels for weights that are drawn per seed anyway.
    """
    record = Record()
    make: Callable[..., None] = keras.Variable.__init__
    assign = keras.Variable.assign

    def recorded_make(
        self: Any, initializer: Any, shape: Any = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        birth = Birth(self, None)
        if isinstance(initializer, str):
            initializer = keras.initializers.get(initializer)
        if callable(initializer) and shape is not None:
            birth.initializer = initializer
            initializer = initializer if draw else _cheap(initializer, shape)
        record.births[id(self)] = birth
        make(self, initializer, shape=shape, dtype=dtype, **kwargs)

    def recorded_assign(self: Any, value: Any) -> Any:
        # Inside a stateless scope the framework only traces; nothing is overwritten.
        if id(self) in record.births and not in_stateless_scope():
            record.births[id(self)].assigned = True
        return assign(self, value)

    with _replaced("__init__", recorded_make), _replaced("assign", recorded_assign):
        yield record


@contextlib.contextmanager
def _replaced(name: str, method: Callable[..., Any]) -> Iterator[None]:
    own = vars(keras.Variable).get(name)
    setattr(keras.Variable, name, method)
    try:
        yield
    finally:
        if own is None:
            delattr(keras.Variable, name)  # it was inherited, and is again
        else:
            setattr(keras.Variable, name, own)


def _cheap(initializer: Callable[..., Any], shape: Any) -> Callable[..., Any]:
    """Return what compiles nothing: constants by NumPy, zeros in place of Keras' random initializers."""
    distribution = known_distribution(initializer, tuple(shape))
    if distribution is None:
        return initializer
    fill = 0.0 if is_random(distribution) else draw(distribution, bare("", tuple(shape)), 0)

    def make(shape: Any, dtype: Any = None, **_: Any) -> Any:
        # Put on the device here: Keras would have JAX compile a program for each new shape.
        return jax.device_put(np.full(shape, fill, dtype or keras.config.floatx()))

    return make
