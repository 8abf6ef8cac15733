"""A diagnosis as sentences and as rows of a table; text and HTML share them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fanin.report.diagnosis.located import where
from fanin.report.diagnosis.places import place_of, places
from fanin.report.diagnosis.record import (
    ConsequenceRecord,
    DiagnosisRecord,
    FindingRecord,
    InputRecord,
    LayerRecord,
    SourceRecord,
    SpreadRecord,
)
from fanin.report.numbers import NONE, duration, fixed, percent, significant
from fanin.report.profile.rows import number
from fanin.sources import installed

_STATES = {"error": "Not healthy", "warning": "Doubtful"}
_LESSER = {"warning": "warning", "info": "note"}
_LOSSES = {
    "cross_entropy": "cross-entropy",
    "binary_cross_entropy": "binary cross-entropy",
    "mse": "mean squared error",
    "other": "loss",
}
# From where on a share is worth a word; whether it is a fault, rules say.
_SATURATED, _DEAD, _FOCUSED = 0.25, 0.5, 0.3


def verdict(record: DiagnosisRecord) -> str:
    """Return whether a model is healthy, and the gravest finding."""
    findings = record["findings"]
    if not findings:
        return f"Healthy at step 0: {_counted(len(record['rules']), 'rule')} found nothing."
    worst, counts = findings[0]["severity"], record["counts"]
    if worst == "info":
        return f"Healthy at step 0, with {_counted(len(findings), 'note')}."
    more = counts[worst] - 1
    others = [f"{more} more {_plural(worst, more)}"] if more else []
    others += [_counted(counts[one], name) for one, name in _LESSER.items() if one != worst and counts[one]]
    first = f"{_STATES[worst]} at step 0: {words(findings[0])} at {heading(findings[0], record['layers'])}"
    return f"{'; '.join([first, ', '.join(others)]) if others else first}."


def words(finding: ConsequenceRecord) -> str:
    """Return a rule's name as words."""
    return finding["name"].replace("-", " ")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {_plural(what, count)}"


def _plural(what: str, count: int) -> str:
    return what if count == 1 else f"{what}s"


def about(record: DiagnosisRecord) -> tuple[str, str]:
    """Return what the model is, and what was done with it."""
    parameters = record["parameters"]
    values = f"{_counted(parameters['values'], 'value')} in {_counted(parameters['count'], 'parameter')}"
    asked = f"{_counted(len(record['rules']), 'rule')} in {duration(record['seconds'] or 0.0)}"
    known = f"{_counted(record['known'], 'known finding')} left out" if record["known"] else ""
    done = [*map(_input, record["inputs"]), _loss(record), asked, known]
    return f"{record['framework']}, {record['dtype']}, {values}", ", ".join(filter(None, done))


def _input(given: InputRecord) -> str:
    return _shape(given["shape"]) + (" at random" if given["described"] else "")


def _loss(record: DiagnosisRecord) -> str:
    loss = record["loss"]
    if loss["kind"] == "none":
        return "no loss" if record["layers"] else ""
    guess = "" if loss["guess"] is None else f" (a guess has {number(loss['guess'])})"
    value = "not finite" if loss["value"] is None else number(loss["value"])
    return f"{_LOSSES[loss['kind']]} {value}{guess}"


def born_dead(record: DiagnosisRecord) -> str:
    """Return how many of several networks are born dead; "" where one was looked at."""
    if record["born_dead"] is None:
        return ""
    return (
        f"{percent(record['born_dead'])} of {record['seeds']} networks are born dead: no weight ever learns."
    )


def heading(finding: ConsequenceRecord, layers: Sequence[LayerRecord]) -> str:
    """Return where a finding is: the path, with the type of the layer."""
    place = place_of(finding, layers)
    return where(finding) + ("" if place is None else f" ({kind(layers[place])})")


def consequence(finding: ConsequenceRecord) -> str:
    """Return what follows from a finding, in a line."""
    return f"{finding['code']} {words(finding)} at {where(finding)}"


def written(source: SourceRecord) -> str:
    """Return the user's file and line of a class; "" where it is installed, or unknown."""
    if not source["file"] or installed(source["file"]):
        return ""
    path, here = Path(source["file"]), Path.cwd()
    return f"{path.relative_to(here) if path.is_relative_to(here) else path}:{source['line']}"


class Row(NamedTuple):
    """One layer.

    Args:
        name: Its path.
        kind: Its type, or the function inside of it.
        shape: Shape of its output.
        output: sqrt(E[x^2]).
        gradient: sqrt(E[g^2]).
        similarity: Mean cosine of two examples.
        codes: Codes of the findings at it.
        flags: What stands out.
    """

    name: str
    kind: str
    shape: str
    output: str
    gradient: str
    similarity: str
    codes: tuple[str, ...]
    flags: tuple[str, ...]


def table(record: DiagnosisRecord) -> list[Row]:
    """Return the layers in the order of execution."""
    found = places(record)
    return [row(layer, found.get(place, ())) for place, layer in enumerate(record["layers"])]


def row(layer: LayerRecord, findings: Sequence[FindingRecord] = ()) -> Row:
    """Return a layer's numbers as text."""
    return Row(
        layer["name"],
        kind(layer),
        _shape(layer["shape"]),
        _scale(layer["output"]),
        _scale(layer["gradient"]),
        fixed(layer["similarity"], 2),
        tuple(finding["code"] for finding in findings),
        tuple(flags(layer)),
    )


def kind(layer: LayerRecord) -> str:
    """Return what a layer is: its type, or the function that was called inside of it."""
    if layer["function"].replace("_", "") == layer["type"].lower():
        return layer["type"]
    named = layer["kind"] not in ("attention", "norm") or layer["kind"] in layer["type"].lower()
    return layer["function"] or (layer["type"] if named else layer["kind"])


def flags(layer: LayerRecord) -> list[str]:
    """Return what stands out in a layer, a word and a number each."""
    output, gradient, entropy = layer["output"], layer["gradient"], layer["entropy"]
    found = [
        (not output["finite"], "not finite"),
        (gradient is not None and not gradient["finite"], "gradient not finite"),
        ((layer["saturated"] or 0) > _SATURATED, f"saturated {percent(layer['saturated'])}"),
        ((layer["dead"] or 0) > _DEAD, f"dead {percent(layer['dead'])}"),
        (bool(layer["twins"] and output["scale"]), f"twins {percent(layer['twins'])}"),
        ((layer["stuck"] or 0) > 0, f"stuck {percent(layer['stuck'])}"),
        (entropy is not None and entropy < _FOCUSED, f"entropy {significant(entropy, 2)}"),
    ]
    return [word for holds, word in found if holds]


def _scale(spread: SpreadRecord | None) -> str:
    return NONE if spread is None or spread["scale"] is None else number(spread["scale"])


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
