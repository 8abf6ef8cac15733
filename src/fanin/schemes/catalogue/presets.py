"""The frameworks' defaults: what their own layers draw, for models of any framework."""

from __future__ import annotations

import math

from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.catalogue.scaling import of_variance
from fanin.schemes.catalogue.transformers import all_normal, all_zero, one_over_fan_in
from fanin.schemes.decision import Rules
from fanin.schemes.distributions import (
    Constant,
    Distribution,
    Normal,
    Orthogonal,
    PerGate,
    Uniform,
)
from fanin.schemes.matrices import matrices
from fanin.schemes.registry import scheme
from fanin.schemes.spread import centered_uniform, truncated


@scheme(
    formula="U(-r, r), r = 1 / sqrt(fan_in), biases too; gates 1 / sqrt(units); tables N(0, 1)",
    source="PyTorch, reset_parameters of Linear, Conv, RNNBase, Bilinear, MultiheadAttention, Embedding",
    assumptions="-",
)
def torch_default() -> Rules:
    """What torch.nn's layers draw, biases too."""
    return {
        "kernel": _torch_kernel,
        "recurrent": _torch_gates,
        "bias": _torch_bias,
        "embedding": all_normal(1.0),
        "attention_out": _torch_kernel,
        "query": _torch_projection,
        "key": _torch_projection,
        "value": _torch_projection,
    }


def _torch_kernel(parameter: Parameter) -> Distribution:
    if parameter.gates > 1 or parameter.gate_names:
        return _torch_gates(parameter)
    return centered_uniform(_torch_reach(parameter) / math.sqrt(3), parameter)


def _torch_reach(parameter: Parameter) -> float:
    """Return 1 / sqrt(fan_in), the fan as torch has it: from the shape, strides and groups or not."""
    inside = matrices(parameter)
    inputs = inside.outputs if parameter.transposed else inside.inputs
    if parameter.layer == "Bilinear":
        inputs = parameter.shape[1]
    return 1 / math.sqrt(max(inputs * math.prod(inside.taps), 1))


def _torch_gates(parameter: Parameter) -> Distribution:
    reach = 1 / math.sqrt(max(matrices(parameter).outputs, 1))
    return Uniform(-reach, reach)


def _torch_projection(parameter: Parameter) -> Distribution:
    if parameter.layer != "MultiheadAttention":
        return _torch_kernel(parameter)
    # xavier_uniform_ of the whole of what is packed.
    return of_variance(2 / sum(parameter.shape), "uniform", parameter)


def _torch_bias(parameter: Parameter) -> Distribution:
    if parameter.layer in ("MultiheadAttention", "NonDynamicallyQuantizableLinear"):
        return Constant(0.0)
    if parameter.kernel is None or not parameter.kernel.axes:
        return Constant(0.0)
    drawn = _torch_kernel(parameter.kernel)
    return drawn if isinstance(drawn, Uniform) else Constant(0.0)


@scheme(
    formula="glorot_uniform; recurrent orthogonal; tables U(+-.05); forget bias 1, other biases 0",
    source="Keras, the layers' default initializers",
    assumptions="-",
)
def keras_default() -> Rules:
    """What Keras' layers draw; gates each for themselves."""

    def kernel(parameter: Parameter) -> Distribution:
        return of_variance(2 / sum(fans(parameter)), "uniform", parameter)

    def bias(parameter: Parameter) -> Distribution:
        if "forget" in parameter.gate_names:
            return PerGate(tuple(Constant(float(gate == "forget")) for gate in parameter.gate_names))
        return Constant(0.0)

    return {
        "kernel": kernel,
        "recurrent": lambda p: Orthogonal(1.0),
        "embedding": lambda p: Uniform(-0.05, 0.05),
        "bias": bias,
    }


@scheme(
    formula="Var = 1 / fan_in, cut at 2 sd; recurrent orthogonal; tables 1 / features; biases 0",
    source="Flax, default_kernel_init, default_embed_init",
    assumptions="-",
)
def flax_default() -> Rules:
    """What Flax' layers draw."""
    return {
        "kernel": lambda p: truncated(one_over_fan_in(p).sd, p),
        "recurrent": lambda p: Orthogonal(1.0),
        "embedding": lambda p: Normal(0.0, 1 / math.sqrt(fans(p).fan_out)),
        "bias": all_zero,
    }


@scheme(
    formula="N(0, stddev^2); biases 0",
    source="Hugging Face, PreTrainedModel._init_weights",
    assumptions="-",
)
def huggingface_default(stddev: float = 0.02) -> Rules:
    """What most models of transformers draw."""
    return {"kernel": all_normal(stddev), "embedding": all_normal(stddev), "bias": all_zero}
