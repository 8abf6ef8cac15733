"""What fanin would choose: `auto`, parameter by parameter, with the reason for each."""

from __future__ import annotations

import math
from dataclasses import replace

from fanin.graph.fans import fans
from fanin.graph.parameter import Parameter
from fanin.schemes.decision import Decision, Rules
from fanin.schemes.distributions import (
    Constant,
    Distribution,
    Normal,
    Orthogonal,
    Paired,
    TiledOrthogonal,
)
from fanin.schemes.feeds import Feed, eighths, feed, odd_feed
from fanin.schemes.matrices import Matrices, matrices
from fanin.schemes.pairs import ALL, folded
from fanin.schemes.registry import scheme
from fanin.schemes.spread import truncated

# An orthogonal matrix of more takes seconds.
_LARGEST = 2048
# Convolutions in a row; in images of 32 pixels a side, their borders have taken half of the signal by then.
_DEEP = 16


@scheme(
    formula="Var = 1 / (fan_in E[f^2]), f feeds the layer; orthogonal, in pairs where f drifts; see the plan",
    source="He et al. 2015, eq. 7, for any f; Saxe et al. 2014; Balduzzi et al. 2017; Hayou et al. 2021",
    assumptions="second moments of 1 where the inputs are not known",
)
def auto() -> Rules:
    """What fanin would choose, with a reason for each parameter."""
    return {
        "residual_out": _residual_out,
        "residual_norm": _residual_norm,
        "embedding": _embedding,
        "token": _token,
        "position": _position,
        "recurrent": _recurrent,
        "kernel": _kernel,
    }


def _kernel(parameter: Parameter) -> Decision:
    """Return weights that keep the second moment at 1; between activations that drift, in pairs of units."""
    paired = _paired(parameter)
    if paired is None:
        return _of_gain(parameter, feed(parameter.inputs))
    fed = odd_feed(parameter.inputs) if paired.inputs else feed(parameter.inputs)
    found = _of_gain(parameter, fed, folded(paired, parameter))
    if found.distribution is None:
        return found
    activation = parameter.pairs.outputs if paired.outputs else parameter.inputs
    share = paired.output_eighths if paired.outputs else paired.input_eighths
    units = "" if share == ALL else f"{share} of {ALL} units "
    reason = f"{found.reason}; {units}in pairs w, -w, so that {activation} does not drift with depth"
    return Decision(replace(paired, kernel=found.distribution), reason)


def _paired(parameter: Parameter) -> Paired | None:
    """Return which units are in pairs, with nothing for the kernel yet; None if none are."""
    _, activation, layers, units, input_links, output_links = pairs = parameter.pairs
    inputs = eighths(parameter.inputs, layers, units, input_links) if pairs.inputs else 0
    outputs = eighths(activation, layers, units, output_links)
    if parameter.block is not None or not (inputs or outputs):
        return None
    alone = feed(parameter.inputs).gain / odd_feed(parameter.inputs).gain if 0 < inputs < ALL else 1.0
    places = pairs.inputs if inputs else 0
    return Paired(Constant(0.0), places, outputs > 0, inputs or ALL, outputs or ALL, alone)


def _of_gain(parameter: Parameter, fed: Feed, drawn: Parameter | None = None) -> Decision:
    """Return Var = gain^2 / fan_in, orthogonal outside of blocks.

    Args:
        parameter: The whole parameter.
        fed: What feeds it.
        drawn: What is drawn of it, if that is less.
    """
    sd = fed.gain / math.sqrt(max(fans(parameter).fan_in, 1.0))
    if parameter.block is not None or parameter.inputs in ("", "norm"):
        return Decision(truncated(sd, parameter), fed.reason)
    inside = matrices(drawn or parameter)
    taps = math.prod(inside.taps)
    if min(inside.outputs, inside.inputs * taps) > _LARGEST:
        return Decision(truncated(sd, parameter), fed.reason)
    if inside.taps and parameter.pairs.inputs and parameter.pairs.layers >= _DEEP:
        found: Distribution = _tiled(fed.gain, matrices(parameter), inside)
    else:
        found = Orthogonal(sd * math.sqrt(max(inside.outputs, inside.inputs * taps)))
    return Decision(found, f"{fed.reason}; orthogonal, so that depth adds no chance")


def _tiled(gain: float, whole: Matrices, drawn: Matrices) -> TiledOrthogonal:
    """Return an orthogonal matrix over taps whose patches tile the image, for deep convolutional networks.

    Over all taps it is orthogonal for one patch, but not for patches that overlap, nor at borders.
    """
    return TiledOrthogonal(gain * math.sqrt(max(drawn.tiled) / whole.tiled[1]))


def _residual_out(parameter: Parameter) -> Decision:
    fed, branches = feed(parameter.inputs), _branches(parameter)
    fan_in, features = fans(parameter)
    if parameter.stream == "embedding":
        sd = fed.gain / math.sqrt(max(fan_in, 1.0) * branches * features)
        text = f"{fed.reason}; / {branches} / features, so that all add as much as the stream starts with"
        return Decision(Normal(0.0, sd), text)
    sd = fed.gain / math.sqrt(max(fan_in, 1.0) * branches)
    return Decision(Normal(0.0, sd), f"{fed.reason}; / {branches}, so that all branches together add 1")


def _residual_norm(parameter: Parameter) -> Decision:
    blocks = parameter.branches or max(parameter.blocks, 1)
    text = f"1 / sqrt({blocks}), so that all branches together add 1"
    return Decision(Constant(1 / math.sqrt(blocks)), text)


def _branches(parameter: Parameter) -> int:
    return parameter.branches or 2 * max(parameter.blocks, 1)


def _embedding(parameter: Parameter) -> Decision:
    sd = 1 / math.sqrt(fans(parameter).fan_out)
    return Decision(Normal(0.0, sd), "Var = 1 / features: logits of order 1, tied to the head or not")


def _token(parameter: Parameter) -> Decision:
    return Decision(Normal(0.0, 1.0), "Var = 1, as the vectors beside it have")


def _position(parameter: Parameter) -> Decision:
    sd = 1 / math.sqrt(parameter.shape[-1])
    return Decision(Normal(0.0, sd), "Var = 1 / features: little beside what it is added to")


def _recurrent(parameter: Parameter) -> Decision:
    return Decision(Orthogonal(1.0), "orthogonal, each gate for itself: states keep their length")
