r"""Weights over their largest singular value, as spectral normalization divides them.

The largest eigenvalue of W W^T / sd^2, of an n x p matrix of independent numbers, has the mean m - 1.2065 s,

    m = (sqrt(n - 1) + sqrt(p))^2,  s = (sqrt(n - 1) + sqrt(p)) (1 / sqrt(n - 1) + 1 / sqrt(p))^(1/3),

with -1.2065 the mean of the Tracy-Widom law. What a model estimates by power iteration is taken for it, as it
is once that has converged: PyTorch's parametrization begins so, the older `nn.utils.spectral_norm` does not.

References:
    Miyato et al. (2018), arXiv:1802.05957; Johnstone (2001), Annals of Statistics 29(2), theorem 1.1.
"""

from __future__ import annotations

import math
from dataclasses import replace

from fanin.graph.signal import Attribute, Node, SignalGraph
from fanin.theory.propagation.laws import centred

_TRACY_WIDOM = 1.2065335745820


def normalized(graph: SignalGraph) -> SignalGraph:
    """Return a graph where a weight over its largest singular value is a parameter itself.

    Args:
        graph: The model, in which that value is u^T W v, of known vectors or those of a power iteration.
    """
    return replace(graph, nodes=tuple(_normalized(node, graph) for node in graph))


def _normalized(node: Node, graph: SignalGraph) -> Node:
    if node.op != "elementwise" or node["function"] != "divide" or len(node.inputs) != 2:
        return node
    weight, value = (graph[name] for name in node.inputs)
    if weight.op != "parameter" or value.op != "matmul" or value.shape:
        return node
    law = centred(graph.weight[weight["weight"]])
    if law is None or law.mean or not law.variance or _roots(value, graph) != {weight.name}:
        return node
    top = largest(node.shape[0], math.prod(node.shape[1:]), orthogonal=law.orthogonal)
    attributes: dict[str, Attribute] = {
        "weight": weight["weight"],
        "law": (0.0, 1 / top**2),
        "factor": 1 / top / math.sqrt(law.variance),
    }
    return replace(node, op="parameter", inputs=(), attributes=attributes)


def _roots(node: Node, graph: SignalGraph) -> set[str]:
    """Return what a value is computed from, constants left out."""
    found, waiting = set[str](), [node.name]
    while waiting:
        one = graph[waiting.pop()]
        waiting += one.inputs
        if not one.inputs and one.op != "constant":
            found.add(one.name)
    return found


def largest(rows: int, columns: int, *, orthogonal: bool = False) -> float:
    """Return the expected largest singular value of a matrix of random numbers of variance 1.

    Args:
        rows: Of the matrix.
        columns: Of the matrix.
        orthogonal: Whether its rows or columns are orthogonal.

    Example:
        >>> round(largest(64, 256), 1), largest(16, 64, orthogonal=True)
        (23.6, 8.0)
    """
    if orthogonal:
        return math.sqrt(max(rows, columns))
    n, p = math.sqrt(max(rows - 1, 1)), math.sqrt(columns)
    return math.sqrt(max((n + p) ** 2 - _TRACY_WIDOM * (n + p) * (1 / n + 1 / p) ** (1 / 3), 1.0))
