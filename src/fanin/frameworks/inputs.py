"""One input of a model: a shape with a distribution, or data to read it from."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from fanin.errors import FaninError
from fanin.frameworks.correlations import between_examples, between_positions
from fanin.theory.propagation.inputs import InputLaw

_TEXT = re.compile(r"(?P<shape>\d+(x\d+)*)(:(?P<kind>[a-z0-9]+)(\((?P<number>\d+)\))?)?")
EXAMPLES = '"8x3x224x224", or "8x128:tokens" for whole numbers that look up rows of a table'


@dataclass(frozen=True)
class Inputs:
    r"""One input of a model: its shape, and what its elements are distributed by.

    Two elements x, x' of one channel have the correlation

        Cov(x, x') / Var(x) = `example` for two examples at one position,
                              `position` for two positions of one example,
                              the smaller of both where both differ.

    Args:
        shape: Its shape, the batch first.
        mean: Mean of the elements.
        variance: Their variance.
        example: Correlation of two examples, from 0 to 1.
        position: Correlation of two positions, from 0 to 1.
        tokens: Whether the elements are whole numbers that look up rows of a table.
        vocabulary: How many tokens there are; by default as many as the table has rows.
        repeats: The probability that two tokens are the same; by default 1 / vocabulary.
        dtype: Type of the elements; by default "float32", or of tokens "int32".
        channel: The axis of the channels; by default the last one, or for PyTorch axis 1 of four or more.
        data: The values themselves, which all of the above is then read from.

    Raises:
        FaninError: A shape or a number is impossible.

    Example:
        >>> Inputs((8, 3, 32, 32), variance=4.0, position=0.5)
        Inputs(shape=(8, 3, 32, 32), variance=4.0, position=0.5)
        >>> Inputs((8, 128), tokens=True, vocabulary=50257).dtype
        'int32'
    """

    shape: tuple[int, ...]
    mean: float = 0.0
    variance: float = 1.0
    example: float = 0.0
    position: float = 0.0
    tokens: bool = False
    vocabulary: int | None = None
    repeats: float | None = None
    dtype: str = ""
    channel: int | None = None
    data: Any = field(default=None, compare=False)

    def __post_init__(self) -> None:
        shape = (self.shape,) if isinstance(self.shape, int) else tuple(self.shape)
        object.__setattr__(self, "shape", tuple(map(_size, shape)))
        if self.vocabulary is not None:
            object.__setattr__(self, "tokens", True)
        object.__setattr__(self, "dtype", self.dtype or ("int32" if self.tokens else "float32"))
        self._check()

    def _check(self) -> None:
        if not self.shape:
            raise FaninError("The shape of an input is ().", expected="the batch first, then its other axes")
        if not math.isfinite(self.mean) or not (math.isfinite(self.variance) and self.variance >= 0):
            raise FaninError(
                f"An input of mean {self.mean} and variance {self.variance} is none.",
                expected="finite numbers, the variance not below 0",
            )
        for name in ("example", "position", "repeats"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise FaninError(f"{name} is {value}.", expected="a number from 0 to 1")
        if self.vocabulary is not None and self.vocabulary < 1:
            raise FaninError(f"vocabulary is {self.vocabulary}.", expected="a positive whole number")
        if self.channel is not None and not -len(self.shape) <= self.channel < len(self.shape):
            raise FaninError(f"channel is {self.channel}.", expected=f"an axis of {self.shape}")

    @classmethod
    def of(cls, data: Any, **others: Any) -> Inputs:
        """Return the input that some data is; only a description where it holds no values.

        Args:
            data: An array or tensor, or a description of one (shape and dtype).
            **others: Other fields.

        Example:
            >>> Inputs.of(np.ones((4, 2)))
            Inputs(shape=(4, 2), mean=1.0, variance=0.0, data=...)
        """
        values = _values(data)
        dtype = _dtype_name(data.dtype)
        tokens = not dtype.startswith(("float", "bfloat", "complex"))
        found: dict[str, Any] = {"tokens": tokens, "dtype": dtype} | others
        if values is not None and values.size and not tokens:
            wide = values.astype(np.float64)
            found |= {"mean": float(np.mean(wide)), "variance": float(np.var(wide))}
        return cls(tuple(data.shape), data=None if values is None else data, **found)

    @classmethod
    def parse(cls, text: str) -> Inputs:
        """Return the input that a text describes: axes joined by x, then what is in it.

        Args:
            text: Such as "8x3x224x224", "8x128:tokens", "8x128:tokens(50257)" or "8x20:float16".

        Raises:
            FaninError: It cannot be read.

        Example:
            >>> Inputs.parse("8x128:tokens(50257)").vocabulary
            50257
        """
        match = _TEXT.fullmatch(text.strip())
        kind = (match["kind"] or "float32") if match else ""
        if match is None or not (kind == "tokens" or (_is_dtype(kind) and not match["number"])):
            raise FaninError(f"{text!r} describes no input.", expected=EXAMPLES)
        shape = tuple(map(int, match["shape"].split("x")))
        if kind == "tokens":
            return cls(shape, tokens=True, vocabulary=int(match["number"]) if match["number"] else None)
        return cls(shape, tokens=kind.startswith(("int", "uint")), dtype=kind)

    def __repr__(self) -> str:
        usual = {f.name: f.default for f in fields(self) if f.name not in ("shape", "data")}
        usual["dtype"] = "int32" if self.tokens else "float32"
        told = [f"{name}={getattr(self, name)!r}" for name in usual if getattr(self, name) != usual[name]]
        data = [] if self.data is None else ["data=..."]
        return f"Inputs({', '.join([f'shape={self.shape}', *told, *data])})"

    def __str__(self) -> str:
        """Return it in words.

        Example:
            >>> print(Inputs((8, 20)), "|", Inputs((8, 20), vocabulary=100))
            8 × 20, N(0, 1) | 8 × 20 tokens of 100
        """
        shape = " × ".join(map(str, self.shape))
        if self.tokens:
            of = f" of {self.vocabulary}" if self.vocabulary else ""
            return f"{shape} tokens{of}{' (data)' if self.data is not None else ''}"
        moments = f"{self.mean:.3g}, {self.variance:.3g}"
        if self.data is not None:
            return f"{shape}, data of mean and variance {moments}"
        pairs = [("examples", self.example), ("positions", self.position)]
        known = [f"correlation of {name} {value:g}" for name, value in pairs if value]
        return ", ".join([shape, f"N({moments})", *known])

    def law(self, channel: int) -> InputLaw:
        """Return what signals need to know of it.

        Args:
            channel: The axis of the channels where the input does not say.
        """
        if self.tokens:
            return InputLaw(tokens=True, repeats=self._repeats())
        level, channel = self.mean**2, self.channel if self.channel is not None else channel
        example, position = self.example, self.position
        if self.data is not None:
            values = np.moveaxis(np.asarray(_values(self.data), float), channel, -1)
            example, position = between_examples(values), between_positions(values)
        second = self.variance + level
        if not second:
            return InputLaw(self.mean, second)
        return InputLaw(
            self.mean,
            second,
            position=(position * self.variance + level) / second,
            example=(example * self.variance + level) / second,
        )

    def _repeats(self) -> float | None:
        if self.data is not None and self.repeats is None:
            counts = np.unique(np.asarray(_values(self.data)), return_counts=True)[1].astype(float)
            total = float(np.sum(counts))
            return float(np.sum(counts * (counts - 1)) / (total * (total - 1))) if total > 1 else None
        if self.repeats is None and self.vocabulary:
            return 1 / self.vocabulary
        return self.repeats

    @property
    def values(self) -> np.ndarray | None:
        """The data as an array; None where there is none."""
        return None if self.data is None else _values(self.data)


def _size(size: Any) -> int:
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise FaninError(
            f"{size!r} is no size of an axis.", expected="positive whole numbers: (8, 3, 224, 224)"
        )
    return int(size)


def _dtype_name(dtype: Any) -> str:
    """Return a type's name as NumPy has it; NumPy's usual one, which is no model's, is taken for models'."""
    name = str(dtype).removeprefix("torch.")
    name = name if name.isidentifier() else getattr(dtype, "name", name)
    return "float32" if name == "float64" else name


def _is_dtype(name: str) -> bool:
    return re.fullmatch(r"(b?float|u?int)(8|16|32|64)|bool", name) is not None


def _values(data: Any) -> np.ndarray | None:
    """Return the values of an array or tensor; None for what only describes one."""
    if getattr(data, "is_meta", False) or not (
        hasattr(data, "__array__") or hasattr(data, "__array_interface__")
    ):
        return None
    if hasattr(data, "detach"):
        data = data.detach().cpu()
        data = data.float() if str(data.dtype) == "torch.bfloat16" else data
    try:
        return np.asarray(data)
    except Exception:  # a symbolic tensor has the method and no values
        return None
