"""The first weights of a run, as a function of (scheme, seed, variable name)."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from fanin.frameworks.keras.build import Built, canonical_paths
from fanin.frameworks.keras.known import known_distribution
from fanin.random.streams import integer_seed, stream
from fanin.schemes.distributions import is_random
from fanin.schemes.sample import sample

Draw = Callable[[int], np.ndarray]
"""The first value of one variable under a seed."""


@dataclass(frozen=True, eq=False)
class Start:
    """Where the first values of a model's variables come from.

    Args:
        draws: A function of the seed for each of the model's variables, in their order; an array
            where the value is the same under every seed.
    """

    draws: Sequence[Draw | np.ndarray]

    def values(self, seed: int) -> list[np.ndarray]:
        """Return the first value of every variable under a seed."""
        return [draw if isinstance(draw, np.ndarray) else draw(seed) for draw in self.draws]


@dataclass(frozen=True, eq=False)
class BuilderStart:
    """First values from a builder that sets weights itself: it is called again for every seed.

    Args:
        make: Calls the builder, with its initializers running.
        chosen: As for `start`.
    """

    make: Callable[[], Built]
    chosen: dict[str, Any]

    def values(self, seed: int) -> list[np.ndarray]:
        """Return the first value of every variable under a seed."""
        with seeded(integer_seed(seed, "builder")):
            built = self.make()
        drawn = start(built, self.chosen).values(seed)
        kept = [np.asarray(keras.ops.convert_to_numpy(v)) for v in built.model.variables]
        mine = [_is_random_state(p) or p in self.chosen for p in canonical_paths(built.model)]
        return [new if own else old for new, old, own in zip(drawn, kept, mine, strict=True)]


def _is_random_state(path: str) -> bool:
    return path.endswith("seed_generator_state")


def start(built: Built, chosen: dict[str, Any]) -> Start:
    """Return where a built model's first values come from.

    Args:
        built: The model, with the births of its variables.
        chosen: Distributions or initializers that replace the variables' own, by canonical path.
    """
    paths = canonical_paths(built.model)
    return Start(
        [
            _draw(built, v, path, chosen.get(path))
            for v, path in zip(built.model.variables, paths, strict=True)
        ]
    )


def _draw(built: Built, variable: Any, path: str, chosen: Any) -> Draw | np.ndarray:
    shape, dtype = tuple(variable.shape), variable.dtype
    if _is_random_state(path):
        return lambda seed: np.array([integer_seed(seed, path), 0], dtype)
    source = chosen if chosen is not None else built.record.of(variable).initializer
    if source is None:
        return np.asarray(keras.ops.convert_to_numpy(variable))
    return drawer(source, shape, dtype, path)


def drawer(source: Any, shape: tuple[int, ...], dtype: str, path: str) -> Draw | np.ndarray:
    """Return the first value of one variable as a function of the seed.

    Keras' own initializers and fanin's distributions are drawn from the variable's stream; any other
    callable is called under the seed.

    Args:
        source: A distribution, or an initializer of Keras or of the user.
        shape: The variable's shape.
        dtype: The variable's dtype.
        path: The variable's canonical path, which names its stream.
    """
    distribution = known_distribution(source, shape) if callable(source) else source
    if distribution is None:
        return lambda seed: called_under_seed(source, shape, dtype, integer_seed(seed, path))
    if not is_random(distribution):
        return sample(distribution, shape, stream(0, path)).astype(dtype)
    return lambda seed: sample(distribution, shape, stream(seed, path)).astype(dtype, copy=False)


def called_under_seed(
    initializer: Callable[..., Any], shape: tuple[int, ...], dtype: str, seed: int
) -> np.ndarray:
    """Return what an initializer of the user gives under a seed.

    A seed argument of its own is replaced; for other randomness Python's, NumPy's and Keras' global
    generators are seeded for the call (and the first two put back).
    """
    with seeded(seed):
        value = _reseeded(initializer, seed)(shape, dtype=dtype)
    return np.asarray(keras.ops.convert_to_numpy(value))


def _reseeded(initializer: Any, seed: int) -> Any:
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer
    config = initializer.get_config()
    return type(initializer).from_config({**config, "seed": seed}) if "seed" in config else initializer


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators inside the block."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  (it is users who draw from it)
    try:
        keras.utils.set_random_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
