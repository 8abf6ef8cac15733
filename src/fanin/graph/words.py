"""Operations and shapes of a signal graph in words; the tree and the drawing share them."""

from __future__ import annotations

from collections.abc import Callable

from fanin.graph.signal import Node, SignalGraph

LAYOUT = ("reshape", "permute", "broadcast", "constant", "parameter", "slice")
"""Operations that move values, or have none of the inputs in them: a compact view leaves them out."""

_ROLES = {"position": "pos", "channel": "ch"}
_TIMES = " × "


def shape(node: Node) -> str:
    """Return a value's axes with what they run over.

    Example:
        >>> shape(Node("a", "input", shape=(2, 8)))
        '2 × 8'
        >>> shape(Node("a", "input", shape=(2, 8), roles=("batch", "channel")))
        'batch 2, ch 8'
    """
    if not node.shape:
        return "scalar"
    if len(node.roles) != len(node.shape):
        return _TIMES.join(map(str, node.shape))
    return ", ".join(
        f"{_ROLES.get(role, role)} {size}" for role, size in zip(node.roles, node.shape, strict=True)
    )


def operation(node: Node, graph: SignalGraph) -> str:
    """Return what a node does, with the numbers that matter.

    Args:
        node: A node of the graph.
        graph: The graph, which knows its weights.

    Example:
        >>> operation(Node("a", "elementwise", attributes={"function": "gelu"}), SignalGraph(()))
        'gelu'
    """
    words = _WORDS.get(node.op, lambda *_: node.op)(node, graph)
    return " ".join(words.split())


def kernel(node: Node, graph: SignalGraph) -> str:
    """Return the shape of the first weight that a node reads; nothing where it reads none."""
    for name in node.inputs:
        read = graph[name]
        if read.op == "parameter":
            return _TIMES.join(map(str, read.shape))
    return ""


def _elementwise(node: Node, _: SignalGraph) -> str:
    arguments = node.get("arguments") or ()
    numbers = ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in arguments)
    return f"{node.get('function', '')}{f'({numbers})' if numbers else ''}"


def _convolution(node: Node, graph: SignalGraph) -> str:
    stride, groups = node.get("stride") or (), node.get("groups", 1)
    parts = [f"convolution {kernel(node, graph)}"]
    parts += [f"stride {_same(stride)}"] if any(step != 1 for step in stride) else []
    return ", ".join([*parts, *([f"{groups} groups"] if groups != 1 else [])])


def _attention(node: Node, _: SignalGraph) -> str:
    heads, keys = node.get("heads"), node.get("key_heads")
    parts = [f"attention, {heads} heads" if heads else "attention"]
    parts += [f"{keys} for keys"] if keys and keys != heads else []
    return ", ".join([*parts, *(["causal"] if node.get("causal") else [])])


def _scan(node: Node, _: SignalGraph) -> str:
    return f"scan, {node.get('length')} steps{' backwards' if node.get('reverse') else ''}"


def _recurrent(node: Node, _: SignalGraph) -> str:
    layers = node.get("layers", 1)
    parts = [str(node.get("kind")), *([f"{layers} layers"] if layers != 1 else [])]
    return ", ".join([*parts, *(["both ways"] if node.get("bidirectional") else [])])


def _norm(node: Node, _: SignalGraph) -> str:
    train = ", of the batch" if node.get("kind") == "batch" and node.get("train") else ""
    groups = f", {node['groups']} groups" if node.get("kind") == "group" else ""
    return f"{node.get('kind')} norm{groups}{train}"


def _reduce(node: Node, _: SignalGraph) -> str:
    axes = node.get("axes") or ()
    return f"{node.get('function')} over {'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}"


def _same(values: tuple[object, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else _TIMES.join(map(str, values))


_WORDS: dict[str, Callable[[Node, SignalGraph], str]] = {
    "linear": lambda node, graph: f"linear {kernel(node, graph)}",
    "convolution": _convolution,
    "embedding": lambda node, graph: f"embedding {kernel(node, graph)}",
    "elementwise": _elementwise,
    "norm": _norm,
    "pool": lambda node, _: f"{node.get('kind')} pool {_TIMES.join(map(str, node.get('window') or ()))}",
    "reduce": _reduce,
    "softmax": lambda node, _: "log softmax" if node.get("log") else "softmax",
    "matmul": lambda node, _: f"matmul {node.get('equation', '')}",
    "attention": _attention,
    "dropout": lambda node, _: f"dropout {node.get('rate', 0):g}",
    "noise": lambda node, _: f"{node['kind']} noise",
    "recurrent": _recurrent,
    "scan": _scan,
    "loss": lambda node, _: f"loss {node.get('kind', '')}".replace("_", " "),
    "opaque": lambda node, _: f"unknown: {node.get('operator', node.name)}",
}
