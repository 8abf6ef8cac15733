"""Masks of attention: what hides scores, and what is added to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, constant, function, spread
from fanin.theory.recognition.operands import Axes, Operand, arranged

_LOW = -1e3
"""A score that is masked is at most this."""


class Masks(NamedTuple):
    """What masks an attention.

    Args:
        causal: Whether queries see no later keys.
        window: How many keys they see then; 0 for all before.
        names: The nodes of other masks.
    """

    causal: bool
    window: int
    names: tuple[str, ...]

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the attention's node."""
        return {"causal": self.causal, **({"window": self.window} if self.window else {})}


def masked(draft: Draft, node: Node) -> list[tuple[Operand, str]]:
    """Return what may mask scores, with the scores; a factor other than 1 says that it is added."""
    if function(node, "add") and len(node.inputs) == 2:
        one, other = node.inputs
        return [(Operand(other, "", 0.0), one), (Operand(one, "", 0.0), other)]
    scalars = node.get("scalars", ())
    if not function(node, "where") or len(scalars) != 3 or len(node.inputs) != 2:
        return []
    condition, rest = node.inputs
    _, yes, no = scalars
    if no is not None and no <= _LOW:
        return [(Operand(condition, ""), rest)]
    if yes is not None and yes <= _LOW:
        return [(Operand(_passing(draft, node, draft[condition]).name, ""), rest)]
    return []


def _passing(draft: Draft, node: Node, blocked: Node) -> Node:
    """Return the mask that is True where another one is not."""
    value = constant(blocked)
    if value is None:
        more = {"function": "logical_not"}
        return draft.add(node, "elementwise", (blocked.name,), blocked.shape, "bool", **more)
    passing = ~np.asarray(value, bool)
    size = passing.shape[-1] if passing.ndim else 0
    causal = passing.ndim > 1 and passing.shape[-2] == size > 1 and bool((passing == np.tri(size)).all())
    attributes: dict[str, Any] = {
        "value": _nested(passing.tolist()),
        **({"mask": "causal"} if causal else {}),
    }
    return draft.add(node, "constant", (), blocked.shape, "bool", **attributes)


def _nested(value: Any) -> Any:
    return tuple(map(_nested, value)) if isinstance(value, list) else value


def sorted_masks(draft: Draft, node: Node, masks: Sequence[Operand], axes: Axes) -> Masks | None:
    """Return what masks do; None where one of them differs within groups of queries."""
    causal, windows, names = False, [], []
    for mask in terms(draft, masks):
        known = _known_mask(draft, mask.name) if mask.letters[-2:] == axes.query + axes.key else None
        if known is not None:
            causal = True
            windows += [known["window"]] if known.get("window") else []
        elif not _is_open(draft[mask.name]):
            name = aligned(draft, node, mask, axes)
            if name is None:
                return None
            names.append(name)
    return Masks(causal, min(windows, default=0), tuple(names))


def terms(draft: Draft, masks: Sequence[Operand]) -> list[Operand]:
    """Return masks with those that are made of two apart: by "and", by a sum, or as one hides another."""
    found: list[Operand] = []
    waiting = list(masks)
    while waiting:
        mask = waiting.pop(0)
        parts = () if draft.varies(mask.name) else _parts(draft, draft[mask.name])
        waiting += [Operand(name, mask.letters, mask.factor) for name in parts]
        if not parts:
            found.append(mask)
    return found


def _parts(draft: Draft, mask: Node) -> tuple[str, ...]:
    """Return the two masks that one is made of; none where it is one of its own."""
    if mask.dtype == "bool":
        return mask.inputs if function(mask, "logical_and") and len(mask.inputs) == 2 else ()
    if function(mask, "add"):
        return mask.inputs if len(mask.inputs) == 2 else ()
    return next(((condition.name, rest) for condition, rest in masked(draft, mask)), ())


def _known_mask(draft: Draft, name: str) -> Node | None:
    """Return the causal mask that a value repeats along other axes; None where it is none."""
    node = draft[name]
    while node.op in ("reshape", "broadcast") and node.shape[-2:] == draft[node.inputs[0]].shape[-2:]:
        node = draft[node.inputs[0]]
    return node if node.get("mask") == "causal" else None


def _is_open(mask: Node) -> bool:
    """Return whether a mask is known to hide nothing and to add nothing."""
    value, neutral = constant(mask), float(mask.dtype == "bool")
    if value is None:  # of a large one only its moments are held
        return mask.get("mean") == mask.get("second_moment") == neutral
    return bool((np.asarray(value) == neutral).all())


def aligned(draft: Draft, node: Node, mask: Operand, axes: Axes) -> str | None:
    """Return a mask with the axes of the scores; None where it differs within groups of queries."""
    value = draft[mask.name]
    sizes = dict(zip(mask.letters, spread(value.shape, len(mask.letters)), strict=True))
    if any(sizes[letter] != 1 for letter in (*axes.groups, *(axes.head if axes.groups else ""))):
        return None
    full = draft.add(node, "reshape", (value.name,), tuple(sizes.values()), value.dtype).name
    wide = Operand(value.name if draft[full].shape == value.shape else full, mask.letters)
    order = axes.batch + axes.head + axes.groups + axes.query + axes.key
    heads = sizes[axes.head] if axes.head else 1
    shape = (*(sizes[letter] for letter in axes.batch), heads, sizes[axes.query], sizes[axes.key])
    return arranged(draft, node, wide, order, shape)


def apart(draft: Draft, node: Node) -> None:
    """Put masks that are added up before an attention sees them apart."""
    if node.op != "attention" or len(node.inputs) < 4:
        return
    places = "".join(chr(ord("a") + axis) for axis in range(len(node.shape)))
    axes = Axes(places[:-3], places[-3:-2], "", places[-2], places[-1], "", "")
    given = [Operand(name, places) for name in node.inputs[3:]]
    found = sorted_masks(draft, node, given, axes)
    if found is None or found.names == node.inputs[3:]:
        return
    window = min(filter(None, (found.window, node.get("window", 0))), default=0)
    causal = found.causal or node["causal"]
    attributes = {**node.attributes, **Masks(causal, window, ()).attributes}
    draft.put(node, "attention", (*node.inputs[:3], *found.names), **attributes)
