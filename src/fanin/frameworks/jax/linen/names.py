"""What the names that Linen gives to its layers say, where no call shows more."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from fanin.frameworks.jax.axes import general
from fanin.frameworks.jax.flax.parts import ATTENTION, CELLS, named_part
from fanin.frameworks.jax.leaves import shape_of
from fanin.frameworks.jax.linen.values import leaves
from fanin.frameworks.jax.making import PLAIN, Maker, Part, Shape
from fanin.frameworks.roles import Structure, headed
from fanin.graph.parameter import Parameter
from fanin.graph.roles import attention_out

_AUTOMATIC = re.compile(r"([A-Z]\w*)_\d+")
_NORMS = ("LayerNorm", "RMSNorm", "BatchNorm", "GroupNorm", "InstanceNorm")


def by_name(variables: Any) -> dict[str, Parameter]:
    """Return what is known of a model's parameters, by name, without a call of it.

    Args:
        variables: The model's variables.
    """
    owned: dict[str, dict[str, Shape]] = defaultdict(dict)
    for collection, name, leaf in leaves(variables):
        if collection == "params":
            path, _, own = name.rpartition(".")
            owned[path][own] = shape_of(leaf)
    structure = Structure(list(_candidates(owned)))
    found = [p for path, shapes in owned.items() for p in _placed(path, shapes, structure)]
    return {p.name: p for p in headed(found, ordered=False)}


def _placed(path: str, shapes: dict[str, Shape], structure: Structure) -> Iterator[Parameter]:
    known = known_by_name(path, shapes)
    for name, shape in shapes.items():
        full = f"{path}.{name}".lstrip(".")
        found = known.get(name) or Parameter(full, shape, layer=layer_by_name(path))
        yield structure.placed(found, path)


def _candidates(owned: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (path, class) of the modules with automatic names that have layers inside."""
    outer = {path.rsplit(".", n)[0] for path in owned for n in range(1, path.count(".") + 1)}
    for path in sorted(outer, key=_counted):
        if layer_by_name(path) not in ("", *ATTENTION, *CELLS):
            yield path, layer_by_name(path)


def _counted(path: str) -> list[tuple[str, int]]:
    """Return what sorts automatic names by their numbers: Block_2 before Block_10."""
    return [(name, int(number or 0)) for name, number in re.findall(r"([^.]*?)_?(\d*)(?:\.|$)", path)]


def known_by_name(path: str, shapes: dict[str, Shape]) -> dict[str, Parameter]:
    """Return what is known of a layer's parameters from its automatic name and their shapes.

    Only what no setting of the layer could change is told: a convolution's groups, for one, show nowhere.

    Args:
        path: The layer's path, such as "Block_0.Dense_1".
        shapes: Shapes of its own parameters.

    Example:
        >>> known_by_name("Dense_0", {"kernel": (4, 8)})["kernel"].axes
        ('in', 'out')
        >>> known_by_name("fc", {"kernel": (4, 8)})
        {}
    """
    layer, part = _named(path)
    kernel, bias = shapes.get("kernel", ()), shapes.get("bias", ())
    make = Maker(layer, shapes, path, part)
    if layer in ("Dense", "DenseGeneral") and len(kernel) == 2:
        return dict(make.dense(*kernel))
    if layer == "DenseGeneral" and part.roles and len(kernel) == 3:
        inputs = 2 if attention_out in part.roles else 1
        own = make.kernel("kernel", general(0, inputs, 3 - inputs), kernel)
        return {"kernel": own, "bias": make.bias(own, general(0, 0, len(bias)), bias)}
    if layer == "Embed" and len(shapes.get("embedding", ())) == 2:
        return dict(make.embedding("embedding", *shapes["embedding"]))
    return dict(make.norms("scale", "bias")) if layer in _NORMS else {}


def layer_by_name(path: str) -> str:
    """Return the class that a layer's automatic name tells, empty for a name that somebody chose.

    Example:
        >>> layer_by_name("Block_0.Conv_1"), layer_by_name("conv")
        ('Conv', '')
    """
    automatic = _AUTOMATIC.fullmatch(path.rpartition(".")[2])
    return automatic[1] if automatic else ""


def _named(path: str) -> tuple[str, Part]:
    """Return a layer's class and what it is for the layer that it belongs to."""
    outer, _, name = path.rpartition(".")
    parent = layer_by_name(outer)
    part = named_part({parent}, name, parent)
    if part is PLAIN:
        return layer_by_name(path), PLAIN
    return ("DenseGeneral" if part.roles else "Dense"), part
