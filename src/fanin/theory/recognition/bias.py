"""A product with a kernel and the bias that is added to it."""

from __future__ import annotations

from fanin.graph.signal import Node
from fanin.theory.recognition.draft import Draft, bare, function, spread


def bias(draft: Draft, node: Node) -> None:
    """Put a linear map or a convolution and the sum with a parameter together."""
    if not function(node, "add") or len(node.inputs) != 2:
        return
    for product, added in (node.inputs, reversed(node.inputs)):
        made = draft[product]
        layer = made.op in ("linear", "convolution") and len(made.inputs) == 2 and made.shape == node.shape
        if layer and (parameter := _bias(draft, made, added)) is not None:
            draft.put(node, made.op, (*made.inputs, parameter), **made.attributes)
            return


def _bias(draft: Draft, product: Node, added: str) -> str | None:
    """Return the parameter that is added along the output's last axes, or along a convolution's channels."""
    value, parameter = draft[added], bare(draft, added)
    if draft.varies(added) or parameter.op == "constant" or len(value.shape) > len(product.shape):
        return None
    rank = len(product.shape)
    if product.op == "linear":
        # The parameter broadcasts as it is where its own axes are the output's last ones.
        same = spread(parameter.shape, rank) == spread(value.shape, rank)
        return parameter.name if same and len(parameter.shape) <= rank else None
    channel = product["y_axes"][1]
    wanted = tuple(product.shape[axis] if axis == channel else 1 for axis in range(rank))
    if spread(value.shape, rank) != wanted:
        return None
    if len(parameter.shape) == 1:
        return parameter.name
    size = (product.shape[channel],)
    return draft.add(product, "reshape", (parameter.name,), size, parameter.dtype).name
