"""The residual branches that one level of a program adds to a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fanin.frameworks.jax.linen.program import Level, is_constant
from fanin.frameworks.jax.linen.tags import Tag, tag_of


@dataclass(frozen=True)
class Branch:
    """What is added to a residual stream.

    Args:
        last: Path of the layer with a kernel that ends it.
        norm: Path of the norm behind that; empty where there is none.
        inside: Paths of its layers with kernels, in the order of their calls.
        depth: How many of them follow each other.
        shortcut: Paths of the layers with kernels on the way beside it.
    """

    last: str
    norm: str
    inside: tuple[str, ...]
    depth: int
    shortcut: tuple[str, ...]


class Branches:
    """Finds the branches of a level.

    Args:
        level: The level.
    """

    def __init__(self, level: Level) -> None:
        self._level = level
        tagged = ((tag_of(equation, "in"), equation) for equation in level.equations)
        self._inputs = {tag.path: equation.invars[0] for tag, equation in tagged if tag}
        self._kernels: list[str] = []
        self._above: dict[Any, int] = {}
        self._read_above()

    def ended_by(self, equation: Any) -> Iterator[Branch]:
        """Yield the branches that a sum adds.

        A branch is added to the stream that it came from: the other side of the sum, or the input of the
        projection that made it, is an ancestor of the inputs of the branch's last layer.

        Args:
            equation: The sum.
        """
        one, other = equation.invars
        for branch, stream in ((one, other), (other, one)):
            (last, norm), (begin, _) = self._last(branch), self._last(stream)
            if is_constant(branch) or is_constant(stream) or not last:
                continue
            end = self._inputs[last]
            identity = self._level.depends(end, self._unmoved(stream))
            if identity or (begin and self._strictly(end, self._inputs[begin])):
                inside, beside = self._layers(branch, stream), self._layers(stream, branch)
                yield Branch(last, norm, self._paths(inside), self._depth(inside), self._paths(beside))

    def _read_above(self) -> None:
        """Note the layers with kernels that each value depends on, as the bits of a number."""
        for equation in self._level.equations:
            bits = 0
            for value in equation.invars:
                bits |= 0 if is_constant(value) else self._above.get(value, 0)
            tag = tag_of(equation, "out")
            if tag and tag.kernel:
                bits |= 1 << len(self._kernels)
                self._kernels.append(tag.path)
            self._above |= dict.fromkeys(equation.outvars, bits)

    def _layers(self, end: Any, beside: Any) -> list[int]:
        """Return the places of the layers that one side of a sum depends on and the other one does not."""
        bits = self._above.get(end, 0) & ~self._above.get(beside, 0)
        return [place for place in range(bits.bit_length()) if bits >> place & 1]

    def _paths(self, places: list[int]) -> tuple[str, ...]:
        return tuple(self._kernels[place] for place in places)

    def _depth(self, places: list[int]) -> int:
        deep: dict[int, int] = {}
        for place in places:
            start = self._inputs.get(self._kernels[place])
            above = 0 if start is None else self._above.get(start, 0)
            deep[place] = 1 + max((deep[other] for other in deep if above >> other & 1), default=0)
        return max(deep.values(), default=0)

    def _strictly(self, end: Any, start: Any) -> bool:
        end, start = self._unmoved(end), self._unmoved(start)
        return end is not start and self._level.depends(end, start)

    def _unmoved(self, value: Any) -> Any:
        """Return where a value was made, before it was moved or marked."""
        while (equation := self._level.made_by(value)) is not None:
            if not (tag_of(equation, "in") or self._level.passes(equation)):
                break
            value = equation.invars[0]
        return value

    def _last(self, value: Any) -> tuple[str, str]:
        """Return the layer with a kernel that a value comes from, and the norm between them."""
        norm = ""
        while (equation := self._level.made_by(value)) is not None:
            if tag := tag_of(equation, "out"):
                if tag.kernel or tag.made != "norm":
                    return (tag.path, norm) if self._ends(tag) else ("", "")
                norm = norm or tag.path
                value = self._inputs.get(tag.path)
            elif tag_of(equation, "in") or self._level.passes(equation):
                value = equation.invars[0]
            else:  # dropout and scaling
                value = self._level.only(equation)
        return "", ""

    def _ends(self, tag: Tag) -> bool:
        return tag.kernel and tag.path in self._inputs
