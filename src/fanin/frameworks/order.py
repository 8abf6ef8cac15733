"""The order in which a seed shows the training examples: the same for every scheme."""

from __future__ import annotations

import numpy as np

from fanin.random.streams import stream


def data_order(seed: int, examples: int, epochs: int) -> np.ndarray:
    """Return the order of the examples in every epoch, shaped (epochs, examples), int32.

    Each epoch is a permutation, as in `fit(shuffle=True)`. It depends on the seed alone, so that
    schemes are compared on the same batches.

    Args:
        seed: The run's seed.
        examples: Number of training examples.
        epochs: Number of epochs.

    Example:
        >>> order = data_order(0, examples=5, epochs=2)
        >>> order.shape, sorted(order[1].tolist())
        ((2, 5), [0, 1, 2, 3, 4])
    """
    generator = stream(seed, "data order")
    return np.stack([generator.permutation(examples) for _ in range(epochs)]).astype(np.int32)
