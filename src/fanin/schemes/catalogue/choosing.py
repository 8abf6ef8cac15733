"""`auto`: what fanin would choose, parameter by parameter, with the reason for each."""

from __future__ import annotations

import functools
import math

from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Decision, Rules
from fanin.schemes.distributions import Distribution, Normal, Orthogonal, truncated
from fanin.schemes.matrices import matrices
from fanin.schemes.registry import scheme

# A factorization of larger matrices takes seconds.
_LARGEST = 2048
_UNIT = {"data": "inputs", "norm": "normalized inputs"}


@scheme(
    formula="Var = 1 / (fan_in E[f^2]), f feeds the layer; see the plan",
    source="He et al. 2015, eq. 7, for any f; Saxe et al. 2014; Radford et al. 2019",
    assumptions="second moments of 1 where the inputs are not known",
)
def auto() -> Rules:
    """What fanin would choose, with a reason for each parameter."""
    return {
        "residual_out": _residual_out,
        "embedding": _embedding,
        "recurrent": _recurrent,
        "kernel": lambda p: Decision(*_reasoned(p)),
    }


def _reasoned(parameter: Parameter) -> tuple[Distribution, str]:
    """Return Var = 1 / (fan_in E[f^2]), where f feeds the layer: then the outputs' second moment is 1."""
    gain, reason = _gain(parameter.inputs)
    sd = gain / math.sqrt(max(fans(parameter).fan_in, 1.0))
    if parameter.block is None and parameter.inputs not in ("", "norm"):
        inside = matrices(parameter)
        sides = inside.outputs, inside.inputs * math.prod(inside.taps)
        if min(sides) <= _LARGEST:
            text = f"{reason}; orthogonal, so that depth adds no chance"
            return Orthogonal(sd * math.sqrt(max(sides))), text
    return truncated(sd, parameter), reason


def _residual_out(parameter: Parameter) -> Decision:
    gain, reason = _gain(parameter.inputs)
    branches = parameter.branches or 2 * max(parameter.blocks, 1)
    sd = gain / math.sqrt(max(fans(parameter).fan_in, 1.0) * branches)
    return Decision(Normal(0.0, sd), f"{reason}; / {branches}, so that all branches together add 1")


def _embedding(parameter: Parameter) -> Decision:
    sd = 1 / math.sqrt(fans(parameter).fan_out)
    return Decision(Normal(0.0, sd), "Var = 1 / features: logits of order 1, tied to the head or not")


def _recurrent(parameter: Parameter) -> Decision:
    return Decision(Orthogonal(1.0), "orthogonal, each gate for itself: states keep their length")


@functools.cache
def _gain(inputs: str) -> tuple[float, str]:
    """Return the gain for what feeds a layer, and the reason in words."""
    if inputs in _UNIT:
        return 1.0, f"Var = 1 / fan_in: {_UNIT[inputs]} have second moment 1"
    if not inputs or inputs == "sum" or inputs[0].isupper():
        known = f"a {inputs}" if inputs else "what is not known"
        return 1.0, f"Var = 1 / fan_in: fed by {known}, taken to have second moment 1"
    # Here, so that the catalogue is listed without loading the quadrature.
    from fanin.theory.gain import gain_of
    from fanin.theory.names import named

    found = gain_of(named(inputs), depth=1)
    stable = "" if found.stability != "unstable" else " (unstable: drifts with depth)"
    return found.gain, f"Var = {found.gain**2:.4g} / fan_in: {inputs} feeds it{stable}"
