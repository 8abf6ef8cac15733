"""Tags on arrays in a program, by which the inputs and the outputs of layers are found again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_PREFIX = "fanin"


@dataclass(frozen=True)
class Tag:
    """Marks an array in a program as the input or the output of a layer.

    Args:
        end: "in" or "out".
        path: The layer's path.
        made: For outputs, what they are: "norm" or the layer's class.
        kernel: For outputs, whether the layer multiplies by a kernel.
    """

    end: str
    path: str
    made: str = ""
    kernel: bool = False

    def __str__(self) -> str:
        return "|".join((_PREFIX, self.end, self.path, self.made, "kernel" * self.kernel))


def tag_of(equation: Any, end: str) -> Tag | None:
    """Return the tag that an equation of a program sets at one end of a layer; None for any other."""
    name = equation.params.get("name", "") if equation and equation.primitive.name == "name" else ""
    if not name.startswith(f"{_PREFIX}|{end}|"):
        return None
    _, _, path, made, kernel = name.split("|")
    return Tag(end, path, made, bool(kernel))
