"""One operation of a traced model, and the table of what each becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fanin.frameworks.torch.graph.builder import Builder
from fanin.frameworks.torch.graph.values import Value


@dataclass(frozen=True)
class Call:
    """An operation with its arguments.

    Args:
        target: PyTorch's name of it, such as "aten.linear".
        overload: Which of those that share the name.
        arguments: By name, with defaults; tensors are values.
        results: Shape and type of each tensor that it returns.
        graph: Where its nodes go.
    """

    target: str
    overload: str
    arguments: dict[str, Any]
    results: tuple[tuple[tuple[int, ...], str], ...]
    graph: Builder

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument, or the default where it has none or it is None."""
        value = self.arguments.get(name)
        return default if value is None else value

    @property
    def x(self) -> Value:
        """The first argument."""
        return next(iter(self.arguments.values()))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the first result."""
        return self.results[0][0]

    @property
    def dtype(self) -> str:
        """Type of the first result."""
        return self.results[0][1]

    def values(self) -> list[Value]:
        """Return the tensors among the arguments."""
        found: list[Value] = []
        for argument in self.arguments.values():
            several = argument if isinstance(argument, list | tuple) else (argument,)
            found += [value for value in several if isinstance(value, Value)]
        return found

    def opaque(self, reason: str = "") -> Value | tuple[Value, ...]:
        """Add what nobody understands, with the operator's name; one node for each result."""
        operator = f"{self.target} ({reason})" if reason else self.target
        read = self.values()
        made = tuple(
            self.graph.emit("opaque", read, shape, dtype, operator=operator) for shape, dtype in self.results
        )
        return made[0] if len(made) == 1 else made


Result = Value | tuple[Value, ...] | list[Value]
Converter = Callable[[Call], Result]

CONVERTERS: dict[str, Converter] = {}
"""What makes nodes of an operation, by PyTorch's name of it without what follows the last dot."""


def converts(*targets: str) -> Callable[[Converter], Converter]:
    """Register what converts the operations of some names, given without "aten."."""

    def register(converter: Converter) -> Converter:
        CONVERTERS.update({f"aten.{target}": converter for target in targets})
        return converter

    return register
