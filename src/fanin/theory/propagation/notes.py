"""What to know about a prediction: where weights are not as independent as it takes them to be."""

from __future__ import annotations

from fanin.graph.signal import SignalGraph
from fanin.theory.propagation.rules.again import Meetings

_NEW = ("convolution", "attention", "pool")
"""Operations whose outputs are new populations."""


def equal(graph: SignalGraph) -> list[str]:
    """Return a note on weights that hold the same values, which are taken for independent ones.

    Args:
        graph: The model.
    """
    found: dict[tuple, list[str]] = {}
    for weight in graph.weights:
        law = weight.law
        if weight.source == "tensor" and law is not None and law.variance and len(weight.shape) > 1:
            found.setdefault((weight.shape, law.mean, law.variance), []).append(weight.name)
    copies = [names for names in found.values() if len(names) > 1]
    if not copies:
        return []
    first, more = copies[0], len(copies) - 1
    also = f", and {more} more such sets" if more else ""
    names = ", ".join(first[:3]) + (", ..." if len(first) > 3 else "")
    return [
        f"{names} hold the same values{also}: layers that are copies of each other. They are taken for "
        "independent, as training will make them."
    ]


def again(graph: SignalGraph) -> list[str]:
    """Return a note where signals meet the same weights again, and something between takes them for new ones.

    Args:
        graph: The model.
    """
    met = Meetings.of(graph)
    forget = [node for node in graph if node.op in _NEW and met.before[node.name] & met.times.keys()]
    if not forget:
        return []
    name, times = max(met.times.items(), key=lambda one: one[1])
    return [
        f"signals meet {name} {times} times on their way, and {forget[0].op} between these is predicted as "
        "if its outputs had nothing in common: signals and gradients may be larger."
    ]
