"""fanin's schemes as Keras initializers, for builders that take one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from fanin.frameworks.keras.known import shape_fans
from fanin.graph.parameter import Axis, Parameter
from fanin.random.streams import stream
from fanin.schemes.distributions import is_random
from fanin.schemes.parse import get_scheme
from fanin.schemes.sample import sample
from fanin.schemes.scheme import Scheme


@keras.saving.register_keras_serializable(package="fanin")
class SchemeInitializer(keras.initializers.Initializer):
    """A scheme as a Keras initializer; fans are taken from the shape, as Keras' own do.

    Args:
        scheme: The scheme, or its label.
        seed: As for Keras' initializers.

    Example:
        >>> SchemeInitializer("torch_default")((100, 10)).shape
        (100, 10)
    """

    def __init__(self, scheme: Scheme | str, seed: int | None = None) -> None:
        self.scheme = get_scheme(scheme) if isinstance(scheme, str) else scheme
        self.seed = seed

    def fanin_distribution(self, shape: tuple[int, ...]) -> Any:
        """Return what a variable of this shape is drawn from."""
        return self.scheme.distribution(_bare(tuple(shape)))

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return values of the scheme's distribution."""
        distribution = self.fanin_distribution(shape)
        seed = self.seed
        if seed is None and is_random(distribution):
            seed = int(np.asarray(keras.ops.convert_to_numpy(keras.random.randint((), 0, 2**31 - 1))))
        return keras.ops.convert_to_tensor(
            sample(distribution, tuple(shape), stream(seed or 0, "keras")), dtype
        )

    def get_config(self) -> dict[str, Any]:
        """Return what makes the same initializer again."""
        return {"scheme": self.scheme.label, "seed": self.seed}


def keras_initializer(scheme: Scheme) -> SchemeInitializer:
    """Return a fresh Keras initializer for a scheme."""
    return SchemeInitializer(scheme)


def _bare(shape: tuple[int, ...]) -> Parameter:
    """Return a parameter of which only the shape is known, read as Keras reads it: (..., in, out)."""
    if len(shape) < 2:
        fan = int(shape_fans(shape)[0])
        return Parameter("variable", (fan, fan), "kernel", ("in", "out"))
    taps: tuple[Axis, ...] = ("tap",) * (len(shape) - 2)
    return Parameter("variable", shape, "kernel", (*taps, "in", "out"))
