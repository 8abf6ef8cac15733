"""Layer, RMS, instance and batch norm, from a mean, a variance and one by its root."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, axes_of_vector, bare, fits, function
from fanin.theory.recognition.statistics import Scale, Statistic, divisor, scale, statistic, unrepeated

_DEEPEST = 4


class _Factor(NamedTuple):
    name: str
    divides: bool


def norm(draft: Draft, node: Node) -> None:
    """Put a centred value, or a value, and the root that it is divided by together."""
    if not function(node, "multiply", "divide") or len(node.inputs) != 2 or not draft.varies(node.name):
        return
    factors = list(_factors(draft, node, _DEEPEST))
    scales = [(f, found) for f in factors if (found := (divisor if f.divides else scale)(draft, f.name))]
    if len(scales) != 1:
        return
    factor, by = scales[0]
    rest = [f for f in factors if f is not factor]
    for subject in rest:
        others = [f for f in rest if f is not subject]
        if subject.divides or any(f.divides for f in others) or len(others) > 1:
            continue
        if draft[subject.name].shape != node.shape or any(draft.varies(f.name) for f in others):
            continue
        if _made(draft, node, subject.name, factor.name, by, [f.name for f in others]):
            return


def _factors(draft: Draft, node: Node, depth: int) -> Iterator[_Factor]:
    """Yield the factors of a product of products."""
    for place, name in enumerate(node.inputs):
        inner, divides = unrepeated(draft, name), place == 1 and function(node, "divide")
        product = function(inner, "multiply", "divide") and len(inner.inputs) == 2 and not divides and depth
        if product and scale(draft, name) is None:
            yield from _factors(draft, inner, depth - 1)
        else:
            yield _Factor(name, divides)


def _made(draft: Draft, node: Node, subject: str, factor: str, by: Scale, others: list[str]) -> bool:
    """Put a norm in the place of a product, if it is one; return whether it is."""
    if by.statistic is None:
        return _of_given(draft, node, subject, by, others)
    found = by.statistic
    x, shift = _centred(draft, subject, found) if found.kind == "variance" else (subject, None)
    grouped = _groups(draft, found.of, x, found.axes) if x and found.of != x and shift else 0
    if not x or (found.of != x and not grouped):
        return False
    along = tuple(range(1, len(node.shape) - 1)) if grouped else found.axes
    if not all(fits(draft[name].shape, node.shape, along) for name in (factor, shift) if name):
        return False
    attributes = _group(draft[x], grouped) if grouped else _kind(draft[x], along, found.kind == "square")
    if attributes is None:
        return False
    _put(draft, node, (x,), {**attributes, "eps": by.eps, "slots": ()}, others)
    return True


def _put(
    draft: Draft, node: Node, inputs: tuple[str, ...], attributes: dict[str, Any], others: list[str]
) -> None:
    """Put a norm in the place of a product, or of the product of the norm with another factor."""
    if not others:
        draft.put(node, "norm", inputs, **attributes)
        return
    inner = draft.add(node, "norm", inputs, node.shape, **attributes)
    draft.put(node, "elementwise", (inner.name, others[0]), function="multiply")


def _centred(draft: Draft, name: str, found: Statistic) -> tuple[str, str | None]:
    """Return the value that another one is without the mean that belongs to a variance, and that mean."""
    centre = draft[name]
    if not function(centre, "subtract") or len(centre.inputs) != 2:
        return "", None
    x, shift = centre.inputs
    return (x, shift) if statistic(draft, shift) == Statistic(found.of, found.axes, "mean") else ("", None)


def _kind(x: Node, axes: tuple[int, ...], squares: bool) -> dict[str, Any] | None:
    """Return which norm it is by the axes that its statistics are taken over."""
    rank, last = len(x.shape), len(x.shape) - 1
    kept = [axis for axis in range(rank) if axis not in axes]
    if squares:
        return {"kind": "rms", "axes": axes, "channel": max(axes)} if 0 in kept or rank == 1 else None
    if 0 in axes and rank > 1:
        return {"kind": "batch", "axes": axes, "channel": kept[0], "train": True} if len(kept) == 1 else None
    if last in kept and kept in ([0, last], [last]) and rank > 2:
        return {"kind": "instance", "axes": axes, "channel": last, "train": True}
    return {"kind": "layer", "axes": axes, "channel": max(axes)}


def _groups(draft: Draft, of: str, x: str, axes: tuple[int, ...]) -> int:
    """Return how many groups statistics are of, taken over a value as (..., groups, size); 0 for none."""
    split, shape = draft[of], draft[x].shape
    if split.op != "reshape" or split.inputs[0] != x or len(split.shape) != len(shape) + 1:
        return 0
    rank = len(shape)
    every = (*range(1, rank - 1), rank)
    return split.shape[-2] if split.shape[:-2] == shape[:-1] and tuple(sorted(axes)) == every else 0


def _group(x: Node, groups: int) -> dict[str, Any]:
    rank = len(x.shape)
    return {"kind": "group", "axes": tuple(range(1, rank)), "channel": rank - 1, "groups": groups}


def _of_given(draft: Draft, node: Node, subject: str, by: Scale, others: list[str]) -> bool:
    """Put the norm with kept statistics of a trained batch norm in the place of a product."""
    centre = draft[subject]
    if not function(centre, "subtract") or len(centre.inputs) != 2:
        return False
    x, shift = centre.inputs
    mean = bare(draft, shift)
    axes = axes_of_vector(draft[shift].shape, node.shape)
    if mean.op != "parameter" or axes is None or len(axes) != 1 or draft[x].shape != node.shape:
        return False
    if len(mean.shape) != 1 or draft[by.given].shape != mean.shape:
        return False
    over = tuple(axis for axis in range(len(node.shape)) if axis != axes[0])
    attributes: dict[str, Any] = {
        "kind": "batch", "axes": over, "channel": axes[0], "eps": by.eps, "train": False,
        "slots": ("mean", "variance"),
    }  # fmt: skip
    _put(draft, node, (x, mean.name, by.given), attributes, others)
    return True


def scaled_norm(draft: Draft, node: Node) -> None:
    """Put a norm and the parameter that it is multiplied with, or that is added to it, together."""
    if not function(node, "multiply", "add") or len(node.inputs) != 2:
        return
    slot = "scale" if function(node, "multiply") else "offset"
    for name, given in (node.inputs, node.inputs[::-1]):
        made = draft[name]
        if made.op != "norm" or made.shape != node.shape or draft.varies(given):
            continue
        slots = tuple(made["slots"])
        taken = slots and ("offset" in slots or slot in slots)
        vector = None if taken else _vector(draft, made, given)
        if vector is not None:
            parameter, kind = vector
            at = 1 + ("scale" in slots)
            inputs = (*made.inputs[:at], parameter, *made.inputs[at:])
            new = (*slots[: at - 1], slot, *slots[at - 1 :])
            draft.put(node, "norm", inputs, **{**made.attributes, **kind, "slots": new})
            return


def _vector(draft: Draft, made: Node, given: str) -> tuple[str, dict[str, Any]] | None:
    """Return the parameter that scales a norm along its own axes; None where it does not."""
    parameter, shape = bare(draft, given), made.shape
    axes = axes_of_vector(draft[given].shape, shape)
    if axes is None or parameter.op == "constant":
        return None
    wanted = tuple(axis for axis in made["axes"] if shape[axis] != 1)
    if made["kind"] not in ("layer", "rms"):
        wanted = (made["channel"],)
    if axes == wanted and len(parameter.shape) == max(len(wanted), 1):
        return parameter.name, {}
    if axes == wanted:
        sizes = tuple(shape[axis] for axis in wanted)
        return draft.add(made, "reshape", (parameter.name,), sizes, parameter.dtype).name, {}
    return _of_channels(draft, made, parameter, axes)


def _of_channels(
    draft: Draft, made: Node, parameter: Node, axes: tuple[int, ...]
) -> tuple[str, dict[str, Any]] | None:
    """Return the parameter of a norm over positions whose channels come before these: an instance norm."""
    over, rank = tuple(made["axes"]), len(made.shape)
    if made["kind"] != "layer" or axes != (1,) or over != tuple(range(2, rank)) or made["slots"]:
        return None
    kind: dict[str, Any] = {"kind": "instance", "channel": 1, "train": True}
    if len(parameter.shape) == 1:
        return parameter.name, kind
    sizes = (made.shape[1],)
    return draft.add(made, "reshape", (parameter.name,), sizes, parameter.dtype).name, kind


def folded_norm(draft: Draft, node: Node) -> None:
    """Put x r + (offset - mean r) together, as Keras computes norms: r is one by the root, times a scale."""
    if not function(node, "add", "subtract") or len(node.inputs) != 2 or not draft.varies(node.name):
        return
    for name, rest in (node.inputs, node.inputs[::-1]):
        product = draft[name]
        if not function(product, "multiply") or len(product.inputs) != 2 or product.shape != node.shape:
            continue
        for x, by in (product.inputs, product.inputs[::-1]):
            if draft[x].shape == node.shape and _unfolded(draft, node, x, by, rest):
                return


def _unfolded(draft: Draft, node: Node, x: str, by: str, rest: str) -> bool:
    """Put the norm, its scale and its offset in the place of a sum, if it is one; return whether it is."""
    parts = _scale_and_root(draft, by)
    shift = None if parts is None else _shift(draft, rest, by)
    if parts is None or shift is None:
        return False
    root, own, factor = parts
    mean, offset = shift
    attributes, inputs = _of_statistics(draft, node, x, mean, root, by)
    if attributes is None:
        return False
    if root.statistic and not all(
        fits(draft[n].shape, node.shape, root.statistic.axes) for n in (mean, factor)
    ):
        return False
    shape = node.shape
    value = draft.add(node, "norm", (x, *inputs), shape, **attributes).name
    if own is not None:
        value = draft.add(node, "elementwise", (value, own), shape, function="multiply").name
    if offset is None:
        draft.put(node, "reshape", (value,))
    else:
        draft.put(node, "elementwise", (value, offset), function="add")
    return True


def _scale_and_root(draft: Draft, by: str) -> tuple[Scale, str | None, str] | None:
    """Return one by a root of a statistic, the parameter that it is multiplied with, and its node."""
    if (root := scale(draft, by)) is not None:
        return root, None, by
    product = unrepeated(draft, by)
    if not function(product, "multiply") or len(product.inputs) != 2:
        return None
    for first, other in (product.inputs, product.inputs[::-1]):
        if (root := scale(draft, first)) is not None and not draft.varies(other):
            return root, other, first
    return None


def _shift(draft: Draft, rest: str, by: str) -> tuple[str, str | None] | None:
    """Return the mean and the offset of offset - mean r; None where it is not that."""
    added = unrepeated(draft, rest)
    candidates = [(added, None)]
    if function(added, "add") and len(added.inputs) == 2:
        one, other = added.inputs
        candidates = [(unrepeated(draft, one), other), (unrepeated(draft, other), one)]
    for product, offset in candidates:
        if not function(product, "multiply") or len(product.inputs) != 2:
            continue
        for minus, factor in (product.inputs, product.inputs[::-1]):
            negative = unrepeated(draft, minus)
            if function(negative, "negative") and unrepeated(draft, factor) is unrepeated(draft, by):
                return negative.inputs[0], offset
    return None


def _of_statistics(
    draft: Draft, node: Node, x: str, mean: str, root: Scale, by: str
) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return a norm's attributes and what it reads besides x; None where mean and variance are not x's."""
    if root.statistic is not None:
        found, centre = root.statistic, statistic(draft, mean)
        same = found.kind == "variance" and centre == Statistic(x, found.axes, "mean") and found.of == x
        attributes = _kind(draft[x], found.axes, False) if same else None
        return (attributes and {**attributes, "eps": root.eps, "slots": ()}), ()
    given = bare(draft, mean)
    axes = axes_of_vector(draft[by].shape, node.shape)
    if given.op != "parameter" or axes is None or len(axes) != 1 or len(given.shape) != 1:
        return None, ()
    over = tuple(axis for axis in range(len(node.shape)) if axis != axes[0])
    return {
        "kind": "batch", "axes": over, "channel": axes[0], "eps": root.eps, "train": False,
        "slots": ("mean", "variance"),
    }, (given.name, root.given)  # fmt: skip
