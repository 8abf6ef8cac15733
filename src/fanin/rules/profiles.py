"""The signals that a diagnosis saw, as a profile that one compares with what is predicted."""

from __future__ import annotations

from fanin.rules.vitals import Layer, Parameter, Spread, Vitals
from fanin.theory.profile import Backward, Estimate, Forward, LayerSignal, ParameterSignal, SignalProfile


def profile_of(vitals: Vitals) -> SignalProfile:
    """Return the measured profile of one network with one batch.

    Its numbers have no standard error, as they are of this network alone, and no correlation of two inputs.

    Args:
        vitals: What was measured.
    """
    gradients = f"of the loss ({vitals.output.kind.replace('_', ' ')})"
    return SignalProfile(
        tuple(_layer(layer) for layer in vitals.layers),
        tuple(_parameter(one) for one in vitals.trained),
        source="measured",
        model=vitals.model,
        inputs=", ".join(" × ".join(map(str, one.shape)) for one in vitals.inputs),
        cotangent=gradients if vitals.output.loss is not None else "random weights at the outputs",
        notes=vitals.notes,
    )


def _layer(layer: Layer) -> LayerSignal:
    gradient = layer.gradient
    return LayerSignal(
        layer.name,
        layer.type,
        layer.shape,
        Forward(Estimate(layer.output.mean), _second_moment(layer.output)),
        None if gradient is None else Backward(_second_moment(gradient)),
        where=f"{layer.where.file}:{layer.where.line}" if layer.where.file else "",
    )


def _parameter(one: Parameter) -> ParameterSignal:
    gradient = None if one.gradient is None else Estimate(one.gradient**2)
    return ParameterSignal(one.name, one.shape, one.values.scale**2, gradient)


def _second_moment(spread: Spread) -> Estimate:
    return Estimate(spread.scale**2)
