"""Zeros around values, along positions: sums over windows of one position or none."""

from __future__ import annotations

from fanin.graph.signal import Node
from fanin.theory.propagation.context import Context
from fanin.theory.propagation.places import Places
from fanin.theory.propagation.rules.pools import weighed
from fanin.theory.propagation.signal import Result, Signal, Unknown, Value
from fanin.theory.propagation.windows import Axis


def padded(node: Node, inputs: list[Value], context: Context) -> Result:
    """Return values with zeros around them, or without some that were there."""
    x = inputs[0]
    if not isinstance(x, Signal):
        return Result(x if isinstance(x, Unknown) else Unknown(f"{node.name}: it pads no signal"))
    if not any(before or after for before, after in node["padding"]):
        return Result(x, lambda cotangent: [cotangent])
    roles = [{atom.role for atom in axis} for axis in context.axes[node.name]]
    others = any(
        (before or after) and role != {"position"}
        for (before, after), role in zip(node["padding"], roles, strict=True)
    )
    spatial = [axis for axis, role in enumerate(roles) if "position" in role]
    if others or node.get("value", 0):
        return Result(Unknown(f"{node.name}: it pads channels or examples, or with what is not 0"))
    read = context.graph[node.inputs[0]].shape
    into, out = (tuple(shape[axis] for axis in spatial) for shape in (read, node.shape))
    weights = [
        Axis.of(length, outputs, 1, stride=1, before=node["padding"][axis][0], dilation=1).weights(
            length, True
        )
        for axis, length, outputs in zip(spatial, into, out, strict=True)
    ]
    return weighed(x, weights, Places.image(out, context.points[node.name]), context)
