"""Outputs and adapters: what a network says before it has learned."""

from __future__ import annotations

import math

from fanin.errors import FaninError
from fanin.graph.parameter import Parameter
from fanin.schemes.catalogue.scaling import of_variance
from fanin.schemes.decision import Decision, Rules
from fanin.schemes.distributions import Constant, Distribution, Normal, Values
from fanin.schemes.registry import scheme


@scheme(
    formula="head bias = log p; of one probability, log(p / (1 - p))",
    source="Karpathy 2019, A recipe for training; Lin et al. 2017, arXiv:1708.02002, sec. 4.1",
    assumptions="softmax of several classes, sigmoid of one probability; he_normal + class_prior((.9, .1))",
    needs=("head_bias",),
)
def class_prior(priors: tuple[float, ...] = (0.01,)) -> Rules:
    """A first loss that knows how frequent the classes are."""
    _check_priors(priors)
    logits = [math.log(p) for p in priors]
    if len(logits) == 1:
        logits[0] -= math.log1p(-priors[0])

    def bias(parameter: Parameter) -> Distribution:
        if len(logits) not in (1, parameter.shape[-1]):
            raise FaninError(
                f"There are {len(logits)} priors for the {parameter.shape[-1]} outputs of {parameter.name}.",
                expected="one for each class, or a single one",
            )
        return Constant(logits[0]) if len(logits) == 1 else Values(tuple(logits))

    return {"head_bias": bias}


def _check_priors(priors: tuple[float, ...]) -> None:
    if not priors or not all(0 < p < 1 for p in priors):
        raise FaninError(f"Priors are {priors}.", expected="probabilities between 0 and 1")
    if len(priors) > 1 and abs(sum(priors) - 1) > 1e-3:
        raise FaninError(f"The priors' sum is {sum(priors):g}.", expected="1", fix="divide them by their sum")


@scheme(
    formula="A: Var = 1 / (3 fan_in), uniform; B = 0",
    source="Hu et al. 2021, arXiv:2106.09685, sec. 4.1; PEFT, reset_lora_parameters",
    assumptions="adapters named lora_A and lora_B; everything else stays as it is",
    needs=("adapter_in", "adapter_out"),
)
def lora(stddev: float = 0.0) -> Rules:
    """Low-rank adapters that change nothing at first; with stddev, A ~ N(0, stddev^2) as in the paper."""

    def first(parameter: Parameter) -> Distribution:
        width = parameter.shape[parameter.axes.index("in")] if parameter.axes else parameter.shape[-1]
        return Normal(0.0, stddev) if stddev else of_variance(1 / (3 * width), "uniform", parameter)

    return {"adapter_in": first, "adapter_out": lambda p: Constant(0.0), "kernel": _stays, "bias": _stays}


def _stays(parameter: Parameter) -> Decision:
    return Decision(None, "lora: it is not an adapter")
