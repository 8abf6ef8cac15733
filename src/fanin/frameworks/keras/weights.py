"""The first weights of a run, as a function of (scheme, seed, variable name)."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from fanin.frameworks.keras.build import Built, canonical_paths
from fanin.frameworks.keras.draws import Drawn, Source, column
from fanin.frameworks.keras.initializers import SchemeInitializer
from fanin.frameworks.keras.known import bare, known_distribution
from fanin.frameworks.keras.parameters import parameters
from fanin.graph.parameter import Parameter
from fanin.random.streams import integer_seed
from fanin.schemes.distributions import Distribution, is_random
from fanin.schemes.draw import draw
from fanin.schemes.plan import Row


@dataclass(frozen=True, eq=False)
class Start:
    """Where the first values of a model's variables come from.

    Args:
        sources: One for each of the model's variables, in their order.
    """

    sources: Sequence[Source]

    def values(self, seed: int) -> list[np.ndarray]:
        """Return the first value of every variable under a seed."""
        return [each[0] for each in first_values([self], [seed])]


@dataclass(frozen=True, eq=False)
class BuilderStart:
    """First values from a builder that sets weights itself: it is called again for every seed.

    Args:
        make: Calls the builder, with its initializers running.
        chosen: As for `start`.
    """

    make: Callable[[], Built]
    chosen: Mapping[str, Any]

    def values(self, seed: int) -> list[np.ndarray]:
        """Return the first value of every variable under a seed."""
        with seeded(integer_seed(seed, "builder")):
            built = self.make()
        drawn = start(built, self.chosen).values(seed)
        kept = [np.asarray(keras.ops.convert_to_numpy(v)) for v in built.model.variables]
        mine = [_is_random_state(p) or p in self.chosen for p in canonical_paths(built.model)]
        return [new if own else old for new, old, own in zip(drawn, kept, mine, strict=True)]


def first_values(starts: Sequence[Start | BuilderStart], seeds: Sequence[int]) -> list[np.ndarray]:
    """Return the first values of some runs, drawn together.

    Args:
        starts: Each run's start; all are of models with the same variables.
        seeds: Each run's seed.

    Returns:
        For each variable, an array with a leading axis of runs.
    """
    sources = [each.sources for each in starts if isinstance(each, Start)]
    if len(sources) == len(starts):
        return [column(each, seeds) for each in zip(*sources, strict=True)]
    runs = [each.values(seed) for each, seed in zip(starts, seeds, strict=True)]
    return [np.stack(each) for each in zip(*runs, strict=True)]


def _is_random_state(path: str) -> bool:
    return path.endswith("seed_generator_state")


def start(built: Built, chosen: Mapping[str, Any]) -> Start:
    """Return where a built model's first values come from.

    Args:
        built: The model, with the births of its variables.
        chosen: What replaces the variables' own initializers, by canonical path: rows of a plan, or
            initializers.
    """
    found = zip(built.model.variables, parameters(built.model), strict=True)
    return Start([_source(built, variable, each, chosen.get(each.name)) for variable, each in found])


def _source(built: Built, variable: Any, parameter: Parameter, chosen: Any) -> Source:
    name, dtype = parameter.name, variable.dtype
    if _is_random_state(name):
        return lambda seed: np.array([integer_seed(seed, name), 0], dtype)
    if isinstance(chosen, Row):
        return drawn(chosen.distribution, chosen.parameter, dtype)
    initializer = chosen if chosen is not None else built.record.of(variable).initializer
    if initializer is None:
        return np.asarray(keras.ops.convert_to_numpy(variable))
    return source(initializer, parameter, dtype)


def source(initializer: Any, parameter: Parameter, dtype: str) -> Source:
    """Return where an initializer's first value comes from.

    fanin's schemes and Keras' own initializers are distributions, which fanin draws: schemes by what the
    layer does with the parameter, Keras' own by its bare shape. Any other callable is called under the seed.

    Args:
        initializer: An initializer of fanin's, of Keras' or of the user.
        parameter: The variable under its canonical path.
        dtype: The variable's dtype.
    """
    shape, name = parameter.shape, parameter.name
    if isinstance(initializer, SchemeInitializer) and parameter.kind != "unknown":
        decision = initializer.scheme.decide(parameter)
        if decision is not None and decision.distribution is not None:
            return drawn(decision.distribution, parameter, dtype)
    distribution = known_distribution(initializer, shape)
    if distribution is not None:
        return drawn(distribution, bare(name, shape), dtype)
    return lambda seed: called_under_seed(initializer, shape, dtype, integer_seed(seed, name))


def drawn(distribution: Distribution, parameter: Parameter, dtype: str) -> Source:
    """Return a draw, or its values where they are the same under every seed."""
    if is_random(distribution):
        return Drawn(distribution, parameter, dtype)
    return draw(distribution, parameter, 0).astype(dtype)


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
