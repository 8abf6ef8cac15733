"""Group norm: a norm of each group of channels of its own, around which channels are split and joined."""

from __future__ import annotations

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, axes_of_vector, function


def group_norm(draft: Draft, node: Node) -> None:
    """Put a split into groups, their norm, what scales and shifts the channels, and the join together."""
    if node.op != "reshape" or len(node.shape) < 2:
        return
    inner, scaled = _unscaled(draft, node.inputs[0])
    if inner.op != "norm" or inner["kind"] not in ("layer", "instance") or inner["slots"]:
        return
    split = draft[inner.inputs[0]]
    if split.op != "reshape" or draft[split.inputs[0]].shape != node.shape:
        return
    channel = _channel(inner, split, node)
    if channel is None or not all(_of_channels(draft, name, split, channel) for _, name in scaled):
        return
    axes = tuple(range(1, len(node.shape)))
    more = {"channel": channel, "groups": split.shape[channel], "eps": inner["eps"], "slots": ()}
    if not scaled:
        draft.put(node, "norm", split.inputs, kind="group", axes=axes, **more)
        return
    value = draft.add(node, "norm", split.inputs, node.shape, kind="group", axes=axes, **more).name
    wide = tuple(size if axis == channel else 1 for axis, size in enumerate(node.shape))
    for place, (name_of_function, name) in enumerate(reversed(scaled)):
        vector = draft.add(node, "reshape", (name,), wide, draft[name].dtype).name
        if place < len(scaled) - 1:
            more = {"function": name_of_function}
            value = draft.add(node, "elementwise", (value, vector), node.shape, **more).name
        else:
            draft.put(node, "elementwise", (value, vector), function=name_of_function)


def _unscaled(draft: Draft, name: str) -> tuple[Node, list[tuple[str, str]]]:
    """Return the value behind products and sums with parameters, and these, the last one first."""
    scaled: list[tuple[str, str]] = []
    node = draft[name]
    while function(node, "multiply", "add") and len(node.inputs) == 2:
        own = [name for name in node.inputs if not draft.varies(name)]
        if len(own) != 1 or draft[_other(node, own[0])].shape != node.shape:
            break
        scaled.append((node["function"], own[0]))
        node = draft[_other(node, own[0])]
    return node, scaled


def _other(node: Node, name: str) -> str:
    return node.inputs[1] if node.inputs[0] == name else node.inputs[0]


def _channel(inner: Node, split: Node, node: Node) -> int | None:
    """Return the axis of channels that was split into groups, if the norm is over each of these."""
    sizes = split.shape
    for channel in range(1, len(node.shape)):
        before, after = node.shape[:channel], node.shape[channel + 1 :]
        groups = sizes[channel] if len(sizes) > channel else 0
        if not groups or sizes != (*before, groups, node.shape[channel] // groups, *after):
            continue
        over = tuple(axis for axis in range(1, len(sizes)) if axis != channel)
        if tuple(sorted(inner["axes"])) == over:
            return channel
    return None


def _of_channels(draft: Draft, name: str, split: Node, channel: int) -> bool:
    """Return whether a parameter has one value for each channel."""
    axes = axes_of_vector(draft[name].shape, split.shape)
    wanted = tuple(axis for axis in (channel, channel + 1) if split.shape[axis] != 1)
    return axes == wanted
