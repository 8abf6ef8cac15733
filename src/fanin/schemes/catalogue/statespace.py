"""State spaces: S4D and Mamba."""

from __future__ import annotations

import math

from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Rules
from fanin.schemes.distributions import Constant, Distribution, SoftplusInverse, Uniform, Values
from fanin.schemes.registry import scheme


@scheme(
    formula="A_n = -1/2 + i pi n (S4D) or -n (Mamba); steps log-uniform on [dt_min, dt_max]; D = 1",
    source="Gu et al. 2022, arXiv:2206.11893, sec. 4; Gu and Dao 2023, arXiv:2312.00752, sec. 3.6",
    assumptions="parameters named as in the authors' code; for these alone: gpt2 + state_space",
    needs=("state",),
    aliases=("s4d", "mamba"),
)
def state_space(dt_min: float = 0.001, dt_max: float = 0.1) -> Rules:
    """State spaces that remember over many scales of time."""
    steps = SoftplusInverse(dt_min, dt_max)

    def step_kernel(parameter: Parameter) -> Distribution:
        reach = parameter.shape[-1] ** -0.5
        return Uniform(-reach, reach)

    return {
        "decay_log": lambda p: Values(tuple(math.log(n) for n in range(1, p.shape[-1] + 1))),
        "decay_real_log": lambda p: Constant(math.log(0.5)),
        "frequency": lambda p: Values(tuple(math.pi * n for n in range(p.shape[-1]))),
        "step_log": lambda p: Uniform(math.log(dt_min), math.log(dt_max)),
        "step_bias": lambda p: steps,
        "step_kernel": step_kernel,
        "skip": lambda p: Constant(1.0),
    }
