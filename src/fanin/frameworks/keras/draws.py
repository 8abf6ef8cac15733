"""The first values of one variable in many runs, drawn together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fanin.graph.parameter import Parameter
from fanin.random.philox import key_of
from fanin.schemes.distributions import Distribution
from fanin.schemes.draw import draw_many, stream_of


@dataclass(frozen=True)
class Drawn:
    """A variable that fanin draws: its values are those of `draw` under the key of the seed and its stream.

    Args:
        distribution: What it is drawn from.
        parameter: Its name, its shape and the meaning of its axes.
        dtype: The variable's dtype.
    """

    distribution: Distribution
    parameter: Parameter
    dtype: str


Source = Drawn | np.ndarray | Callable[[int], np.ndarray]
"""Where a variable's first value comes from: a draw, the same under every seed, or a function of the seed."""


def column(sources: Sequence[Source], seeds: Sequence[int]) -> np.ndarray:
    """Return the first values of one variable in some runs, (runs, *shape).

    Args:
        sources: Where each run's value comes from.
        seeds: Each run's seed.
    """
    first = sources[0]
    if isinstance(first, np.ndarray) and all(source is first for source in sources):
        return np.broadcast_to(first, (len(sources), *first.shape))
    values: dict[int, np.ndarray] = {}
    for draws in _sharing(sources):
        values |= _together(draws, seeds)
    for run, (source, seed) in enumerate(zip(sources, seeds, strict=True)):
        if not isinstance(source, Drawn):
            values[run] = source if isinstance(source, np.ndarray) else source(seed)
    return np.stack([values[run] for run in range(len(sources))])


Draws = Sequence[tuple[Drawn, list[int]]]
"""What draws one parameter under one stream, each with the runs that it is for."""


def _sharing(sources: Sequence[Source]) -> Iterable[Draws]:
    """Return the draws that share their random words."""
    runs: dict[int, list[int]] = defaultdict(list)  # by identity: a run's source is one of a few
    for run, source in enumerate(sources):
        runs[id(source)].append(run)
    shared: dict[tuple[Parameter, str], list[tuple[Drawn, list[int]]]] = defaultdict(list)
    for own in runs.values():
        source = sources[own[0]]
        if isinstance(source, Drawn):
            shared[source.parameter, stream_of(source.distribution, source.parameter)].append((source, own))
    return shared.values()


def _together(draws: Draws, seeds: Sequence[int]) -> dict[int, np.ndarray]:
    """Return the values by run."""
    parameter, law = draws[0][0].parameter, draws[0][0].distribution
    wanted = dict.fromkeys(seeds[run] for _, runs in draws for run in runs)
    keys = [key_of(seed, stream_of(law, parameter)) for seed in wanted]
    by_law = draw_many([drawn.distribution for drawn, _ in draws], parameter, keys)
    place = {seed: i for i, seed in enumerate(wanted)}
    return {
        run: values[place[seeds[run]]].astype(drawn.dtype, copy=False)
        for (drawn, runs), values in zip(draws, by_law, strict=True)
        for run in runs
    }
