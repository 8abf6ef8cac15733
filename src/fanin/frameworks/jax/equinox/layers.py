"""What the arrays of Equinox's own layers are: the meaning of every axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx

from fanin.frameworks.jax.axes import along, product, taps
from fanin.frameworks.jax.making import Described, Maker, Part, Shape
from fanin.graph import roles
from fanin.graph.parameter import Parameter

NORMS = (eqx.nn.LayerNorm, eqx.nn.RMSNorm, eqx.nn.GroupNorm, eqx.nn.BatchNorm)
_LSTM = ("input", "forget", "cell", "output")
_GRU = ("reset", "update", "new")
_PROJECTIONS = {
    "query_proj": roles.query,
    "key_proj": roles.key,
    "value_proj": roles.value,
    "output_proj": roles.attention_out,
}


def layer_parameters(layer: Any, shapes: Mapping[str, Shape], path: str, part: Part) -> dict[str, Parameter]:
    """Return what is known of a layer's own arrays, by their names in the layer.

    Args:
        layer: Any module.
        shapes: Shapes of its own arrays.
        path: Its path in the model.
        part: What it is for the layer that it belongs to.
    """
    return dict(_describe(layer, Maker(type(layer).__name__, shapes, path, part)))


def part_of(parent: Any, name: str) -> Part:
    """Return what a layer is for the layer that it belongs to."""
    attends = isinstance(parent, eqx.nn.MultiheadAttention) and name in _PROJECTIONS
    return Part(roles=(_PROJECTIONS[name],)) if attends else Part()


def _describe(layer: Any, make: Maker) -> Described:
    if isinstance(layer, eqx.nn.Linear):
        sizes = (layer.out_features, layer.in_features)
        outputs, inputs = (1 if n == "scalar" else n for n in sizes)
        kernel = make.kernel("weight", ("out", "in"), (outputs, inputs))
        yield "weight", kernel
        yield "bias", make.bias(kernel, ("out",), (outputs,))
    elif isinstance(layer, eqx.nn.Conv | eqx.nn.ConvTranspose):
        yield from _convolution(layer, make)
    elif isinstance(layer, eqx.nn.Embedding):
        yield from make.embedding("weight", layer.num_embeddings, layer.embedding_size)
    elif isinstance(layer, eqx.nn.LSTMCell):
        yield from _cell(layer, make, _LSTM)
    elif isinstance(layer, eqx.nn.GRUCell):
        yield from _cell(layer, make, _GRU)
    elif isinstance(layer, NORMS):
        yield from make.norms("weight", "bias")


def _convolution(layer: Any, make: Maker) -> Described:
    own = (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size)
    spatial = taps(layer.kernel_size)
    more: dict[str, Any] = {"groups": layer.groups, "strides": along(layer.stride, layer.num_spatial_dims)}
    if isinstance(layer, eqx.nn.ConvTranspose):
        # Its kernel is laid out as a plain convolution's, so that groups are packed into its outputs.
        more["stride"] = product(layer.stride, layer.num_spatial_dims)
        more["transposed"] = layer.groups == 1
    kernel = make.kernel("weight", ("out", "in", *spatial), own, **more)
    yield "weight", kernel
    yield "bias", make.bias(kernel, ("out", *spatial), (layer.out_channels, *(1 for _ in spatial)))


def _cell(layer: Any, make: Maker, gates: tuple[str, ...]) -> Described:
    size, outputs = layer.hidden_size, len(gates) * layer.hidden_size
    packed: dict[str, Any] = {"gates": len(gates), "gate_names": gates}
    again = {"roles": (roles.recurrent,), **packed}
    kernel = make("weight_ih", "kernel", ("out", "in"), (outputs, layer.input_size), **packed)
    recurrent = make("weight_hh", "recurrent", ("out", "in"), (outputs, size), **again)
    yield "weight_ih", kernel
    yield "weight_hh", recurrent
    yield "bias", make.bias(kernel, ("out",), (outputs,))
    yield "bias_n", make("bias_n", "bias", ("out",), (size,), kernel=recurrent)
