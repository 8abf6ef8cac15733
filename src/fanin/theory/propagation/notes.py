"""What to know about a prediction: where weights are not as independent as it takes them to be."""

from __future__ import annotations

from fanin.graph.signal import SignalGraph

_PRODUCTS = ("linear", "convolution")


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
    """Return a note on weights that a signal meets again, as in a loop that is written out.

    Gradients then meet the same weights again as well, and are larger than with new ones each time:
    of (z + W)^T, whose W is random, E|g|^2 is sum C(T, k)^2 z^(2T - 2k) s^2k, with T new ones (z^2 + s^2)^T.

    Args:
        graph: The model.
    """
    readers = _products(graph)
    met: dict[str, frozenset[str]] = {}
    times: dict[str, int] = {}
    for node in graph:
        met[node.name] = frozenset[str]().union(*(met[name] for name in node.inputs))
        weight = readers.get(node.name)
        if weight is None:
            continue
        if weight in met[node.name]:
            times[weight] = times.get(weight, 1) + 1
        met[node.name] |= {weight}
    if not times:
        return []
    name = max(times, key=lambda one: times[one])
    more = f", and {len(times) - 1} more weights are met again" if len(times) > 1 else ""
    return [
        f"signals meet {name} {times[name]} times on their way{more}: gradients are predicted as if these "
        "were other weights each time, and may be larger."
    ]


def _products(graph: SignalGraph) -> dict[str, str]:
    """Return the weights that products read, of those that several do, by the product's node."""
    of_weight: dict[str, list[str]] = {}
    for node in graph:
        if node.op in _PRODUCTS and graph[node.inputs[1]].op == "parameter":
            of_weight.setdefault(graph[node.inputs[1]]["weight"], []).append(node.name)
    return {name: weight for weight, names in of_weight.items() if len(names) > 1 for name in names}
