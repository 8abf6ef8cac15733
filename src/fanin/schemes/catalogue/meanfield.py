"""Between order and chaos: weights on the critical line of an activation."""

from __future__ import annotations

import math

from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Rules
from fanin.schemes.distributions import Distribution, Normal
from fanin.schemes.registry import scheme


@scheme(
    formula="Var = sw^2 / fan_in, biases N(0, sb^2): chi_1 = sw^2 E[f'^2] = 1, q = sw^2 E[f^2] + sb^2",
    source="Poole et al. 2016, arXiv:1606.05340, eq. 5; Schoenholz et al. 2017, arXiv:1611.01232",
    assumptions="wide layers of one activation; pre-activations z ~ N(0, q)",
)
def edge_of_chaos(activation: str = "tanh", q: float = 1.0) -> Rules:
    """Depth without vanishing or exploding gradients: the critical line of an activation at variance q."""
    # Here, so that schemes are listed without loading the quadrature.
    from fanin.theory.critical import critical_point
    from fanin.theory.names import named

    weight, bias = critical_point(named(activation), q)

    def kernel(parameter: Parameter) -> Distribution:
        return Normal(0.0, math.sqrt(weight / max(fans(parameter).fan_in, 1.0)))

    return {"kernel": kernel, "bias": lambda p: Normal(0.0, math.sqrt(bias))}
