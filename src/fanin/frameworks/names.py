"""What parameters are that no layer explains, by the names that authors and common code give them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from fanin.graph import roles
from fanin.graph.parameter import Parameter

_ADAPTERS = {"lora_a": roles.adapter_in, "lora_b": roles.adapter_out}
_STATES = {
    "A_log": roles.decay_log,
    "log_A_real": roles.decay_real_log,
    "A_imag": roles.frequency,
    "log_dt": roles.step_log,
    "inv_dt": roles.step_log,
}
_VECTORS = {
    roles.token: re.compile(r"(cls|class|dist|reg|register|mask)_?(token|tokens|embedding)"),
    roles.position: re.compile(r"pos(ition|itional)?_?(embed|embedding|embeddings)"),
}
# Of Llama and its like, T5, and others; a router of experts is often called "gate", which is none of these.
_GATE = re.compile(r"(^|[._/])(gate_proj|gate_up_proj|w_gate|linear_gate|wi_0|fc1_g)[._/]")
# Not those that rescale weights.
_NORM = re.compile("(?<!weight)(?<!spectral)norm", re.IGNORECASE)
# Of LayerScale, CaiT, BEiT, ConvNeXt; ReZero, SkipInit, NFNet; Fixup.
_SCALE = re.compile(
    r"gamma(_\d)?|layer_?scale(_\d)?|lambda\d?|ls\d|alpha|resweight|res_?scale|skip(init)?_gain|scale|multiplier"
)


def named(parameters: Sequence[Parameter]) -> Iterator[Parameter]:
    """Yield all parameters of a model with the kinds and roles that their names give them."""
    yield from map(_gated, map(known_by_name, of_state_spaces(parameters)))


def _gated(parameter: Parameter) -> Parameter:
    """Return a parameter with the role of a gate, if it is one."""
    recurrent = parameter.gate_names and roles.query not in parameter.gate_names
    unit = parameter.kind in ("kernel", "bias") and _GATE.search(parameter.name)
    if not (recurrent or unit):
        return parameter
    return replace(parameter, roles=tuple(dict.fromkeys((*parameter.roles, roles.gate))))


def known_by_name(parameter: Parameter) -> Parameter:
    """Return a parameter with the kind and the role that its name gives it, if it has none.

    Example:
        >>> known_by_name(Parameter("blocks.0.ls1.gamma", (8,), layer="LayerScale")).kind
        'scale'
    """
    *above, last = _parts(parameter)
    if adapter := next((_ADAPTERS[p.lower()] for p in (*above, last) if p.lower() in _ADAPTERS), None):
        return parameter if parameter.kind == "bias" else replace(parameter, roles=(adapter,))
    if parameter.kind != "unknown":
        return parameter
    if is_called_norm(parameter.layer) and len(parameter.shape) == 1:
        return replace(parameter, kind="norm")
    if vector := next((role for role, name in _VECTORS.items() if name.fullmatch(last)), None):
        return replace(parameter, roles=(vector,))
    if parameter.layer == "PReLU":
        return replace(parameter, kind="slope")
    size = math.prod(parameter.shape)
    in_block = parameter.block is not None or parameter.layer == "LayerScale"
    if in_block and _SCALE.fullmatch(last) and size == max(parameter.shape, default=1):
        return replace(parameter, kind="scale")
    if last.startswith("bias") and size == 1:  # Fixup's, one number for a layer
        return replace(parameter, kind="bias")
    return parameter


def is_called_norm(layer: str) -> bool:
    """Return whether a layer's type is called a norm of its inputs.

    Example:
        >>> is_called_norm("LlamaRMSNorm"), is_called_norm("WeightNorm")
        (True, False)
    """
    return bool(_NORM.search(layer))


def of_state_spaces(parameters: Sequence[Parameter]) -> Iterator[Parameter]:
    """Yield all parameters of a model, those of state spaces (S4D, Mamba) with their roles."""
    spaces = {tuple(_parts(p)[:-1]) for p in parameters if _parts(p)[-1] in _STATES}
    for parameter in parameters:
        *above, last = _parts(parameter)
        if tuple(above) in spaces and last in _STATES:
            yield replace(parameter, kind="state", roles=(_STATES[last],))
        elif tuple(above) in spaces and last == "D":
            yield replace(parameter, kind="state", roles=(roles.skip,))
        elif above and above[-1] == "dt_proj" and tuple(above[:-1]) in spaces:
            yield replace(parameter, roles=(roles.step_bias if last == "bias" else roles.step_kernel,))
        else:
            yield parameter


def _parts(parameter: Parameter) -> list[str]:
    return re.split(r"[./]", parameter.name)
