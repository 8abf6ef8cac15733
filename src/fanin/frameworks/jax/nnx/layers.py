"""What the parameters of Flax NNX's own layers are: the meaning of every axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flax import nnx

from fanin.frameworks.jax.axes import along, einsum, general, product, taps
from fanin.frameworks.jax.making import Described, Maker, Part, Shape
from fanin.frameworks.padding import same_pads
from fanin.graph.parameter import Parameter

NORMS = (nnx.LayerNorm, nnx.RMSNorm, nnx.BatchNorm, nnx.GroupNorm, nnx.InstanceNorm)


def layer_parameters(layer: Any, shapes: Mapping[str, Shape], path: str, part: Part) -> dict[str, Parameter]:
    """Return what is known of a layer's own parameters, by their names in the layer.

    Args:
        layer: Any module.
        shapes: Shapes of its own variables.
        path: Its path in the model.
        part: What it is for the layer that it belongs to.
    """
    return dict(_describe(layer, Maker(type(layer).__name__, shapes, path, part)))


def _describe(layer: Any, make: Maker) -> Described:
    if isinstance(layer, nnx.Linear):
        yield from make.dense(layer.in_features, layer.out_features)
    elif isinstance(layer, nnx.LinearGeneral):
        yield from _general(layer, make)
    elif isinstance(layer, nnx.Einsum):
        own = tuple(layer.kernel_shape)
        kernel = make.kernel("kernel", einsum(layer.einsum_str, len(own)), own)
        yield "kernel", kernel
        yield "bias", make.bias(kernel)
    elif isinstance(layer, nnx.Conv | nnx.ConvTranspose):
        yield from _convolution(layer, make)
    elif isinstance(layer, nnx.Embed):
        yield from make.embedding("embedding", layer.num_embeddings, layer.features)
    elif isinstance(layer, nnx.LoRA):
        # Its second matrix starts at 0, so that the adapter changes nothing: it stays unknown to schemes.
        rank = make.shapes["lora_a"][-1]
        yield "lora_a", make.kernel("lora_a", ("in", "out"), (layer.in_features, rank))
    elif isinstance(layer, NORMS):
        yield from make.norms("scale", "bias")


def _general(layer: Any, make: Maker) -> Described:
    batch = tuple(layer.batch_axis.values())
    sizes = (len(batch), len(layer.in_features), len(layer.out_features))
    kernel = make.kernel("kernel", general(*sizes), (*batch, *layer.in_features, *layer.out_features))
    yield "kernel", kernel
    yield "bias", make.bias(kernel, general(len(batch), 0, sizes[2]), (*batch, *layer.out_features))


def _convolution(layer: Any, make: Maker) -> Described:
    if layer.mask is not None:
        return  # how many terms a masked kernel sums is the mask's secret
    spatial, own = taps(layer.kernel_size), tuple(layer.kernel_shape)
    more: dict[str, Any] = {"strides": along(layer.strides, len(spatial))}
    if isinstance(layer, nnx.ConvTranspose):
        turned = layer.transpose_kernel
        axes = (*spatial, "out", "in") if turned else (*spatial, "in", "out")
        more |= {"stride": product(layer.strides, len(spatial)), "transposed": True}
    else:
        axes = (*spatial, "in", "out")
        stride = product(layer.input_dilation, len(spatial))
        if layer.padding == "SAME":
            more["pads"] = same_pads(layer.kernel_size, more["strides"])
        more |= {"groups": layer.feature_group_count, "stride": stride}
    kernel = make.kernel("kernel", axes, own, **more)
    yield "kernel", kernel
    yield "bias", make.bias(kernel, ("out",), (layer.out_features,))
