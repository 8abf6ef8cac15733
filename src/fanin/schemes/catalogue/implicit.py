"""Networks of sines: SIREN."""

from __future__ import annotations

import math

from fanin.errors import FaninError
from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Rules
from fanin.schemes.distributions import Distribution, Uniform
from fanin.schemes.registry import scheme


@scheme(
    formula="first U(+-1 / fan_in); others U(+-sqrt(6 / fan_in) / omega0)",
    source="Sitzmann et al. 2020, arXiv:2006.09661, sec. 3.2",
    assumptions="sin(omega0 x) after every layer",
)
def siren(omega0: float = 30.0) -> Rules:
    """Networks of sines, such as images as functions."""

    def kernel(parameter: Parameter) -> Distribution:
        if not parameter.inputs:
            raise FaninError(
                f"Whether {parameter.name} is the first layer is not known: the model cannot be traced.",
                fix='name it in a Policy: {"net.0.*": "siren(omega0=1)"}',
            )
        fan_in = fans(parameter).fan_in
        bound = 1 / fan_in if parameter.inputs == "data" else math.sqrt(6 / fan_in) / omega0
        return Uniform(-bound, bound)

    return {"kernel": kernel}
