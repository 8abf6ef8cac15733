"""fanin's schemes as Keras initializers, for builders that take one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from fanin.frameworks.keras.known import bare, shape_fans
from fanin.random.philox import key_of
from fanin.schemes.distributions import is_random
from fanin.schemes.draw import draw
from fanin.schemes.parse import get_scheme
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
        size = int(shape_fans(tuple(shape))[0])
        decision = self.scheme.decide(bare("variable", tuple(shape) if len(shape) > 1 else (size, size)))
        return decision and decision.distribution

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return values of the scheme's distribution."""
        distribution = self.fanin_distribution(shape)
        seed = self.seed
        if seed is None and is_random(distribution):
            seed = int(np.asarray(keras.ops.convert_to_numpy(keras.random.randint((), 0, 2**31 - 1))))
        values = draw(distribution, bare("keras", tuple(shape)), key_of(seed or 0, "keras"))
        return keras.ops.convert_to_tensor(values, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what makes the same initializer again."""
        return {"scheme": self.scheme.label, "seed": self.seed}


def keras_initializer(scheme: Scheme) -> SchemeInitializer:
    """Return a fresh Keras initializer for a scheme."""
    return SchemeInitializer(scheme)
