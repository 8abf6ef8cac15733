"""Values for the inputs of a model, drawn from what describes them; NumPy for every framework."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.frameworks.inputs import Inputs


def drawn(inputs: Inputs, random: np.random.Generator, *, channel: int, vocabulary: int) -> NDArray:
    """Return values of an input: its data where it has some, else new ones.

    Args:
        inputs: What they are distributed by.
        random: Where they come from.
        channel: The axis of the channels where the input does not say.
        vocabulary: How many tokens there are where the input does not say.

    Example:
        >>> random = np.random.default_rng(0)
        >>> found = drawn(Inputs((4, 9, 3), position=0.5), random, channel=-1, vocabulary=0)
        >>> found.shape, found.dtype
        ((4, 9, 3), dtype('float32'))
    """
    if (data := inputs.values) is not None:
        return data
    dtype = inputs.dtype if inputs.dtype != "bfloat16" else "float32"
    if inputs.tokens:
        return _tokens(inputs, random, inputs.vocabulary or vocabulary).astype(dtype)
    axis = inputs.channel if inputs.channel is not None else channel
    return _numbers(inputs, random, axis % len(inputs.shape)).astype(dtype)


def _numbers(inputs: Inputs, random: np.random.Generator, channel: int) -> NDArray[np.float64]:
    """Return normal numbers: one part each for all, for an example, for a position, and for an element."""
    shape = inputs.shape
    common = min(inputs.example, inputs.position)
    shares = [common, inputs.position - common, inputs.example - common]
    alike = [True, False], [False, True]  # of (examples, positions) that such a part is the same along
    total = np.sqrt(1 - sum(shares)) * random.standard_normal(shape)
    for share, (examples, positions) in zip(shares, ([True, True], alike[1], alike[0]), strict=True):
        if share:
            sizes = [
                1 if axis != channel and (examples if axis == 0 else positions) else size
                for axis, size in enumerate(shape)
            ]
            total = total + np.sqrt(share) * random.standard_normal(sizes)
    return inputs.mean + np.sqrt(inputs.variance) * total


def _tokens(inputs: Inputs, random: np.random.Generator, vocabulary: int) -> NDArray[np.int64]:
    """Return tokens with probabilities rank^-s, as words have, s such that two are equal as often as told."""
    if inputs.repeats is None or inputs.repeats <= 1 / vocabulary:
        return random.integers(0, vocabulary, inputs.shape)
    from scipy.optimize import brentq  # takes a tenth of a second to load

    ranks, wanted = np.log(np.arange(1, vocabulary + 1)), inputs.repeats

    def shares(slope: float) -> NDArray[np.float64]:
        weights = np.exp(-slope * ranks)
        return weights / np.sum(weights)

    most = 60.0  # p is all of the first token there
    if np.sum(shares(most) ** 2) <= wanted:
        return np.zeros(inputs.shape, np.int64)
    slope: Any = brentq(lambda s: float(np.sum(shares(s) ** 2)) - wanted, 0.0, most)
    return random.permutation(vocabulary)[random.choice(vocabulary, inputs.shape, p=shares(slope))]
