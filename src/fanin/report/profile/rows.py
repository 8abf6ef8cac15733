"""A profile as rows of a table and as sentences; text and HTML share them."""

from __future__ import annotations

import math
from typing import NamedTuple

from fanin.report.numbers import NONE, percent, significant
from fanin.report.profile import depth
from fanin.report.profile.record import EstimateRecord, LayerRecord, ParameterRecord, ProfileRecord

_KEEPS = 3.0  # a factor over all layers up to which a signal keeps its size


class Row(NamedTuple):
    """One layer.

    Args:
        name: Its path.
        type: Its type.
        shape: Shape of its outputs.
        q: E[x^2] with its deviation.
        mean: E[x].
        c: Correlation of two examples.
        gradient: E[g^2] with its deviation.
        chi: chi_1.
        unknown: Why it is unknown.
    """

    name: str
    type: str
    shape: str
    q: str
    mean: str
    c: str
    gradient: str
    chi: str
    unknown: str


def row(layer: LayerRecord) -> Row:
    """Return a layer's numbers as text."""
    forward, backward = layer["forward"], layer["backward"]
    return Row(
        layer["name"],
        layer["type"],
        "×".join(map(str, layer["shape"])),
        deviated(forward["q"]) if forward else "unknown" if layer["unknown"] else NONE,
        _mean(layer),
        _rounded(forward["c"] if forward else None),
        deviated(backward["q"] if backward else None),
        "" if layer["chi_1"] is None else number(layer["chi_1"]),
        layer["unknown"],
    )


def deviated(estimate: EstimateRecord | None) -> str:
    """Return a number with its deviation from one network to another in percent.

    Example:
        >>> deviated({"value": 0.52, "error": 0.0, "chance": 0.026}), deviated(None)
        ('0.520 ±5%', '–')
    """
    if estimate is None or estimate["value"] is None:
        return NONE
    value, apart = estimate["value"], sigma(estimate)
    if not value or not apart:
        return number(value)
    share = 100 * apart / abs(value)
    return f"{number(value)} ±{significant(share, 1) if share < 1000 else '>999'}%"


def number(value: float) -> str:
    """Return a number to three digits.

    Example:
        >>> number(0.99996), number(3.2e-7)
        ('1.00', '3.2e-7')
    """
    return significant(float(f"{value:.2e}"), 3)


def sigma(estimate: EstimateRecord) -> float:
    """Return how far one network's number lies from it, one standard deviation."""
    return math.hypot(estimate["error"] or 0.0, estimate["chance"] or 0.0)


def _mean(layer: LayerRecord) -> str:
    """Return the mean; 0 where it is less than what chance makes of a mean 0."""
    forward = layer["forward"]
    if forward is None or forward["mean"]["value"] is None:
        return NONE
    value, apart = forward["mean"]["value"], sigma(forward["mean"])
    scale = math.sqrt(forward["q"]["value"] or 0.0)
    if abs(value) <= max(2 * apart if abs(value) < 0.05 * scale else 0.0, 1e-4 * scale):
        return "0"
    return significant(value, 2)


def _rounded(estimate: EstimateRecord | None) -> str:
    value = None if estimate is None else estimate["value"]
    if value is None:
        return NONE
    text = f"{value:.2f}"
    return text.replace("-0.00", "0.00")


def headline(profile: ProfileRecord) -> str:
    """Return what happens to signals and gradients, in a sentence."""
    found = {
        "signals": _kept(depth.change(profile, "forward")),
        "gradients": _kept(depth.change(profile, "backward")),
    }
    known = {what: does for what, does in found.items() if does}
    if not known:
        return "Nothing is known of this model's signals."
    if len(set(known.values())) == 1:
        text = f"{' and '.join(known)} {next(iter(known.values()))}"
    else:
        text = ", ".join(f"{what} {does}" for what, does in known.items())
    return f"{text[0].upper()}{text[1:]}."


def _kept(change: depth.Change | None) -> str:
    if change is None:
        return ""
    if 1 / _KEEPS <= change.factor <= _KEEPS:
        return "keep their size"
    verb = "grow" if change.factor > 1 else "shrink"
    times = change.factor if change.factor > 1 else 1 / change.factor
    return f"{verb} {significant(times, 2)}-fold"


def summary(profile: ProfileRecord) -> list[str]:
    """Return what there is to say about the depth of a model, in sentences."""
    found = [
        _path(depth.change(profile, "forward"), "q = E[x²]", "to"),
        _path(depth.change(profile, "backward"), "The gradient's E[g²]", "back to"),
        _chi(profile),
        _unknown(profile),
    ]
    return [words for words in found if words]


def _path(change: depth.Change | None, what: str, to: str) -> str:
    if change is None:
        return ""
    if not change.layers:
        return f"{what} is {number(change.first)} at {change.start}."
    words = (
        f"{what} goes from {number(change.first)} at {change.start} {to} {number(change.last)} at "
        f"{change.end}: {times(change.factor)} over {change.layers + 1} {change.what}, "
        f"{times(change.step)} {'a block' if change.what == 'blocks' else 'a layer'}."
    )
    if change.layers == 1 or abs(math.log(change.jump)) < math.log(2):
        return words
    return f"{words} The largest step is {times(change.jump)}, at {change.where}."


def times(factor: float) -> str:
    """Return a factor.

    Example:
        >>> times(0.5), times(1234567.0)
        ('×0.500', '×1.23e6')
    """
    return f"×{number(factor)}"


def _chi(profile: ProfileRecord) -> str:
    found = depth.chi(profile)
    if found is None:
        return ""
    value, count = found
    layers = f"on average of {count} layers"
    logarithm = math.log(value)
    if abs(logarithm) < 0.005:
        return f"χ₁ is {number(value)} {layers}: neither order nor chaos."
    scale = significant(1 / abs(logarithm), 3)
    does = "vanish" if logarithm < 0 else "explode"
    return f"χ₁ is {number(value)} {layers}: squared gradients {does} e-fold in {scale} layers."


def _unknown(profile: ProfileRecord) -> str:
    layers = depth.shown(profile)
    lost = [layer for layer in layers if layer["forward"] is None and layer["unknown"]]
    if not lost:
        return ""
    share = percent(len(lost) / len(layers))
    return f"{len(lost)} of {len(layers)} layers ({share}) are unknown, from {lost[0]['name']} on."


def reasons(profile: ProfileRecord) -> list[str]:
    """Return why layers are unknown, each reason once, with where it begins and what to do."""
    layers: dict[str, list[LayerRecord]] = {}
    for layer in profile["layers"]:
        if layer["unknown"]:
            layers.setdefault(layer["unknown"], []).append(layer)
    return [_reason(reason, found) for reason, found in layers.items()]


def _reason(reason: str, layers: list[LayerRecord]) -> str:
    gradient = reason.startswith("gradient: ")
    layer = layers[-1] if gradient else layers[0]
    where = f" ({layer['where']})" if layer["where"] and layer["where"] != layer["name"] else ""
    start = f"from {layer['name']}{where} {'back' if gradient else 'on'}"
    what = "Gradients" if gradient else "Signals"
    return f"{what} are unknown {start}: {reason.removeprefix('gradient: ')}."


def about(profile: ProfileRecord) -> str:
    """Return where the numbers come from, in a line."""
    return f"Inputs: {profile['inputs']}. Gradients: {profile['cotangent']}."


def source(profile: ProfileRecord) -> str:
    """Return whether it was predicted or measured."""
    if profile["source"] == "measured":
        return "measured"
    # A model that cannot be traced as a whole runs for its shapes, and a note says so.
    ran = any("ran once" in note for note in profile["notes"])
    return "predicted" if ran else "predicted, nothing was run"


class ParameterRow(NamedTuple):
    """One parameter: its path, its shape, the root of E[w^2], E[dw^2], and the root of their ratio."""

    name: str
    shape: str
    rms: str
    gradient: str
    relative: str


def parameter_row(parameter: ParameterRecord) -> ParameterRow:
    """Return a parameter's numbers as text."""
    second, gradient = parameter["second_moment"], parameter["gradient"]
    value = None if gradient is None else gradient["value"]
    relative = None if not second or value is None else math.sqrt(value / second)
    return ParameterRow(
        parameter["name"],
        "×".join(map(str, parameter["shape"])),
        NONE if second is None else significant(math.sqrt(second), 3),
        deviated(gradient),
        NONE if relative is None else significant(relative, 3),
    )
