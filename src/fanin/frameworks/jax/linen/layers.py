"""What the parameters of Flax Linen's own layers are: the meaning of every axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flax import linen as nn

from fanin.frameworks.jax.axes import along, einsum, general, product, taps
from fanin.frameworks.jax.making import Described, Maker, Part, Shape
from fanin.frameworks.padding import same_pads
from fanin.graph.parameter import Parameter

NORMS = (nn.LayerNorm, nn.RMSNorm, nn.BatchNorm, nn.GroupNorm, nn.InstanceNorm)
RESCALING = (nn.WeightNorm, nn.SpectralNorm)
"""Layers under which another one's kernel has no scale of its own."""


def layer_parameters(
    layer: nn.Module, shapes: Mapping[str, Shape], path: str, part: Part, equation: str | None = None
) -> dict[str, Parameter]:
    """Return what is known of a layer's own parameters, by their names in the layer.

    Args:
        layer: Any module.
        shapes: Shapes of its own parameters, as the layer itself sees them.
        path: Its path in the model.
        part: What it is for the layer that it belongs to.
        equation: For an Einsum, the equation that it was called with.
    """
    make = Maker(type(layer).__name__, shapes, path, part)
    if isinstance(layer, nn.Einsum):
        return dict(_einsum(equation or layer.einsum_str or "", make))
    return {name: parameter for name, parameter in _describe(layer, make) if name in shapes}


def _describe(layer: Any, make: Maker) -> Described:
    kernel = make.shapes.get("kernel", ())
    if isinstance(layer, nn.Dense) or type(layer).__name__ == "DenseParams":
        if len(kernel) == 2:
            yield from make.dense(*kernel)
    elif isinstance(layer, nn.DenseGeneral):
        yield from _general(layer, kernel, make)
    elif isinstance(layer, nn.ConvLocal):
        # A kernel of its own for every place, its taps and inputs on one axis.
        yield from _with_bias(make, general(len(kernel) - 2, 1, 1), kernel)
    elif isinstance(layer, nn.Conv | nn.ConvTranspose):
        yield from _convolution(layer, kernel, make)
    elif isinstance(layer, nn.Embed):
        yield from make.embedding("embedding", layer.num_embeddings, layer.features)
    elif isinstance(layer, NORMS):
        yield from make.norms("scale", "bias")


def _with_bias(make: Maker, axes: Any, own: Shape, **more: Any) -> Described:
    kernel = make.kernel("kernel", axes, own, **more)
    yield "kernel", kernel
    shape = make.shapes.get("bias", ())
    yield "bias", make.bias(kernel, ("out",) if len(shape) == 1 else (), shape)


def _einsum(equation: str, make: Maker) -> Described:
    shape = make.shapes.get("kernel", ())
    axes = einsum(equation, len(shape))
    return _with_bias(make, axes, shape) if axes else iter(())


def _general(layer: Any, kernel: Shape, make: Maker) -> Described:
    batch, outputs = _count(layer.batch_dims), _count(layer.features)
    inputs = len(kernel) - batch - outputs
    own = make.kernel("kernel", general(batch, inputs, outputs), kernel)
    yield "kernel", own
    yield "bias", make.bias(own, general(batch, 0, outputs), kernel[:batch] + kernel[batch + inputs :])


def _count(sizes: int | Sequence[int]) -> int:
    return 1 if isinstance(sizes, int) else len(sizes)


def _convolution(layer: Any, kernel: Shape, make: Maker) -> Described:
    if layer.mask is not None:
        return  # how many terms a masked kernel sums is the mask's secret
    spatial = taps(layer.kernel_size)
    strides = along(layer.strides, len(spatial))
    if isinstance(layer, nn.ConvTranspose):
        axes = (*spatial, "out", "in") if layer.transpose_kernel else (*spatial, "in", "out")
        stride = product(layer.strides, len(spatial))
        yield from _with_bias(make, axes, kernel, strides=strides, stride=stride, transposed=True)
    else:
        stride = product(layer.input_dilation, len(spatial))
        axes = (*spatial, "in", "out")
        how: dict[str, Any] = {"groups": layer.feature_group_count, "strides": strides, "stride": stride}
        if layer.padding == "SAME":
            how["pads"] = same_pads(kernel[: len(spatial)], strides)
        yield from _with_bias(make, axes, kernel, **how)
