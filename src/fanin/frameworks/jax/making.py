"""From a layer's shapes to its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fanin.frameworks.jax.axes import Axes, stacked
from fanin.graph import roles
from fanin.graph.parameter import Kind, Parameter

Shape = tuple[int, ...]
Described = Iterator[tuple[str, Parameter]]
"""Names in a layer with what is known of the arrays that may be there."""


@dataclass(frozen=True)
class Part:
    """What a layer is for the composed layer that it belongs to.

    Args:
        roles: Roles of its kernel.
        recurrent: Whether it maps a recurrent layer's state.
        gates: Names of the gates that it computes, in the order in which they are packed.
        packed: How many matrices are packed into its outputs.
        layer: Class of the composed layer, where its parts are named after it.
    """

    roles: tuple[str, ...] = ()
    recurrent: bool = False
    gates: tuple[str, ...] = ()
    packed: int = 1
    layer: str = ""


PLAIN = Part()
"""A layer that stands for itself."""


class Maker:
    """Makes the parameters of one layer.

    Args:
        layer: The layer's class, by name.
        shapes: Shapes of its own arrays by their names.
        path: Its path in the model.
        part: What it is for the layer that it belongs to.
    """

    def __init__(self, layer: str, shapes: Mapping[str, Shape], path: str, part: Part = PLAIN) -> None:
        self.shapes = shapes
        self._layer, self._path, self._part = part.layer or layer, path, part

    def __call__(self, name: str, kind: Kind, axes: Axes = (), own: Shape = (), **more: Any) -> Parameter:
        """Return a parameter; of one whose shape its layer does not explain, nothing is known.

        Args:
            name: Its name in the layer.
            kind: What it does.
            axes: The axes that its layer gives it.
            own: The shape that its layer gives it; a stack of layers has axes more.
            more: Other fields of the parameter.
        """
        shape = self.shapes.get(name, own)
        found = stacked(axes, own, shape) if axes else ()
        full = f"{self._path}.{name}" if self._path else name
        if axes and not found:
            return Parameter(full, shape, layer=self._layer)
        return Parameter(full, shape, kind, found, layer=self._layer, **more)

    def kernel(self, name: str, axes: Axes, own: Shape, **more: Any) -> Parameter:
        """Return a kernel, as the part that its layer is."""
        part = self._part
        kind: Kind = "recurrent" if part.recurrent else "kernel"
        named = (roles.recurrent,) if part.recurrent else part.roles
        packed = {"gates": part.packed, "gate_names": part.gates, "roles": named}
        return self(name, kind, axes, own, **{**packed, **more})

    def bias(self, kernel: Parameter, axes: Axes = (), own: Shape = ()) -> Parameter:
        """Return the bias that is added to what a kernel makes."""
        packed = {"gates": kernel.gates, "gate_names": kernel.gate_names}
        return self("bias", "bias", axes, own, kernel=kernel, **packed)

    def dense(self, inputs: int, outputs: int) -> Described:
        """Yield the kernel (in, out) and the bias of Flax's dense layers."""
        kernel = self.kernel("kernel", ("in", "out"), (inputs, outputs))
        yield "kernel", kernel
        yield "bias", self.bias(kernel, ("out",), (outputs,))

    def embedding(self, name: str, rows: int, features: int) -> Described:
        """Yield a table of vectors."""
        named = (roles.embedding,)
        yield name, self(name, "embedding", ("in", "out"), (rows, features), roles=named)

    def norms(self, *names: str) -> Described:
        """Yield the scale and the shift of a normalization."""
        yield from ((name, self(name, "norm")) for name in names)
