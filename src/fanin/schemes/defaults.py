"""What becomes of the parameters that a scheme says nothing about."""

from __future__ import annotations

from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Decision
from fanin.schemes.distributions import Constant, PerGate

_STAY = {
    "norm": "norms stay as they are",
    "scale": "multipliers of branches stay as they are",
    "slope": "slopes of activations stay as they are",
    "state": "state spaces stay as they are: state_space() draws them",
}
_FORGET = "the forget gate starts open (Jozefowicz et al. 2015)"


def default_decision(parameter: Parameter) -> Decision:
    """Return what happens to a parameter that no rule reaches: biases start at 0, everything else stays.

    Example:
        >>> default_decision(Parameter("fc.bias", (8,), "bias")).distribution
        Constant(value=0.0)
    """
    if parameter.kind == "bias":
        return _bias(parameter)
    if parameter.kind in _STAY:
        return Decision(None, _STAY[parameter.kind])
    if parameter.kind == "unknown":
        where = f" of {parameter.layer}" if parameter.layer else ""
        return Decision(None, f"unknown parameter{where}")
    return Decision(None, f"no rule for {parameter.role}")


def _bias(parameter: Parameter) -> Decision:
    if "forget" in parameter.gate_names:
        opened = (Constant(float(name == "forget")) for name in parameter.gate_names)
        return Decision(PerGate(tuple(opened)), _FORGET)
    return Decision(Constant(0.0), "biases start at 0")
