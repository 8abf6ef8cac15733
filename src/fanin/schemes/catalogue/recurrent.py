"""Recurrent networks: gates, states, and how long they remember."""

from __future__ import annotations

from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.catalogue.scaling import of_variance
from fanin.schemes.catalogue.transformers import all_normal, all_zero
from fanin.schemes.decision import Decision, Rules
from fanin.schemes.defaults import default_decision
from fanin.schemes.distributions import Chrono, Constant, Distribution, Identity, Orthogonal, PerGate
from fanin.schemes.registry import scheme


@scheme(
    formula="recurrent I; others N(0, stddev^2); biases 0",
    source="Le et al. 2015, arXiv:1504.00941",
    assumptions="plain recurrent layers with ReLU",
)
def irnn(stddev: float = 0.001) -> Rules:
    """Recurrent ReLU networks that remember."""
    return {"kernel": all_normal(stddev), "recurrent": lambda p: Identity(1.0), "bias": all_zero}


@scheme(
    formula="Var = 2 / (fan_in + fan_out) gate by gate; recurrent orthogonal gate by gate; forget bias 1",
    source="Jozefowicz et al. 2015, sec. 2.2; Saxe et al. 2014, arXiv:1312.6120",
    assumptions="gates near their linear range",
)
def gated(forget: float = 1.0) -> Rules:
    """LSTM and GRU: states that keep their length, gates that start open."""

    def kernel(parameter: Parameter) -> Distribution:
        return of_variance(2 / sum(fans(parameter)), "uniform", parameter)

    def bias(parameter: Parameter) -> Decision | Distribution:
        if "forget" not in parameter.gate_names:
            return default_decision(parameter)
        opened = (Constant(forget * (name == "forget")) for name in parameter.gate_names)
        return PerGate(tuple(opened))

    return {"kernel": kernel, "recurrent": lambda p: Orthogonal(1.0), "bias": bias}


@scheme(
    formula="b_forget = log U(1, T - 1), b_input = -b_forget; of a GRU b_update = log U(1, T - 1)",
    source="Tallec and Ollivier 2018, arXiv:1804.11188, eq. 16",
    assumptions="dependencies of up to T steps; it is for gates' biases alone: gated + chrono(longest=784)",
)
def chrono(longest: float = 784.0) -> Rules:
    """Gates that remember for as long as the longest dependency."""

    def bias(parameter: Parameter) -> Distribution | None:
        gates = {"forget", "update"} & set(parameter.gate_names)
        return Chrono(longest) if gates else None

    return {"bias": bias}
