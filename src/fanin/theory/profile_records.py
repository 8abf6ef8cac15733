"""Profiles as plain data, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError
from fanin.report.profile.record import (
    SCHEMA,
    BackwardRecord,
    EstimateRecord,
    ForwardRecord,
    LayerRecord,
    ParameterRecord,
    ProfileRecord,
)

if TYPE_CHECKING:
    from fanin.theory.profile import (
        Backward,
        Estimate,
        Forward,
        LayerSignal,
        ParameterSignal,
        SignalProfile,
    )


def record_of(profile: SignalProfile) -> ProfileRecord:
    """Return a profile as plain data; what is not finite is None."""
    return {
        "schema": SCHEMA,
        "source": profile.source,
        "model": profile.model,
        "inputs": profile.inputs,
        "cotangent": profile.cotangent,
        "notes": list(profile.notes),
        "layers": [_layer(layer) for layer in profile.layers],
        "parameters": [_parameter(parameter) for parameter in profile.parameters],
    }


def estimate(value: Estimate) -> EstimateRecord:
    """Return a number with what is not known of it as plain data."""
    return {"value": _finite(value.value), "error": _finite(value.error), "chance": _finite(value.chance)}


def _layer(layer: LayerSignal) -> LayerRecord:
    forward, backward = layer.forward, layer.backward
    return {
        "name": layer.name,
        "type": layer.type,
        "shape": list(layer.shape),
        "forward": None if forward is None else _forward(forward),
        "backward": None if backward is None else _backward(backward),
        "chi_1": _finite(layer.chi_1),
        "unknown": layer.unknown,
        "where": layer.where,
    }


def _forward(forward: Forward) -> ForwardRecord:
    c = None if forward.c is None else estimate(forward.c)
    return {"mean": estimate(forward.mean), "q": estimate(forward.q), "c": c}


def _backward(backward: Backward) -> BackwardRecord:
    return {"q": estimate(backward.q), "c": None if backward.c is None else estimate(backward.c)}


def _parameter(parameter: ParameterSignal) -> ParameterRecord:
    return {
        "name": parameter.name,
        "shape": list(parameter.shape),
        "second_moment": _finite(parameter.second_moment),
        "gradient": None if parameter.gradient is None else estimate(parameter.gradient),
    }


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def profile_of(record: Mapping[str, Any]) -> SignalProfile:
    """Return the profile that plain data are of.

    Args:
        record: From `to_dict`.

    Raises:
        FaninError: The data are of something else.
    """
    from fanin.theory.profile import SignalProfile

    schema = record.get("schema") if isinstance(record, Mapping) else None
    if schema != SCHEMA:
        raise FaninError(f"This is no profile: its schema is {schema!r}.", expected=SCHEMA)
    try:
        return SignalProfile(
            layers=tuple(map(_read_layer, record["layers"])),
            parameters=tuple(map(_read_parameter, record["parameters"])),
            source=record["source"],
            model=record["model"],
            inputs=record["inputs"],
            cotangent=record["cotangent"],
            notes=tuple(record["notes"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise FaninError(
            f"The profile is damaged: {type(error).__name__}: {error}.", expected="what to_dict() returns"
        ) from error


def _read(record: EstimateRecord | None) -> Estimate | None:
    from fanin.theory.profile import Estimate

    if record is None:
        return None
    return Estimate(*(_number(record[key]) for key in ("value", "error", "chance")))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _read_layer(record: LayerRecord) -> LayerSignal:
    from fanin.theory.profile import Backward, Forward, LayerSignal

    forward, backward = record["forward"], record["backward"]
    outputs = gradient = None
    if forward is not None:
        mean, q = _read(forward["mean"]), _read(forward["q"])
        assert mean is not None
        assert q is not None
        outputs = Forward(mean, q, _read(forward["c"]))
    if backward is not None:
        q = _read(backward["q"])
        assert q is not None
        gradient = Backward(q, _read(backward["c"]))
    return LayerSignal(
        name=record["name"],
        type=record["type"],
        shape=tuple(record["shape"]),
        forward=outputs,
        backward=gradient,
        chi_1=record["chi_1"],
        unknown=record["unknown"],
        where=record["where"],
    )


def _read_parameter(record: ParameterRecord) -> ParameterSignal:
    from fanin.theory.profile import ParameterSignal

    return ParameterSignal(
        record["name"], tuple(record["shape"]), record["second_moment"], _read(record["gradient"])
    )
