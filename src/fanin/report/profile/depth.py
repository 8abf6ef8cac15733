"""A profile along its depth: which layers count, what they make of signals and gradients, what repeats."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fanin.report.profile.record import LayerRecord, ProfileRecord

_SEPARATOR = re.compile(r"[./]")
_NUMBER = re.compile(r"\d+")
_ALIKE = 1e-6  # relative difference of the same number, added up in another order
_ROW = 3  # blocks that are a row
_LONGEST = 80  # layers of a block that repeats


class Change(NamedTuple):
    """What becomes of a second moment over some layers.

    Args:
        start: The first layer.
        end: The last one.
        first: The second moment there.
        last: The second moment there.
        layers: How many steps lie between.
        jump: The largest factor of one step, up or down.
        where: The layer after that step.
        what: What the layers are called.
    """

    start: str
    end: str
    first: float
    last: float
    layers: int
    jump: float
    where: str
    what: str

    @property
    def factor(self) -> float:
        """By how much in all."""
        return self.last / self.first

    @property
    def step(self) -> float:
        """By how much a layer, on average."""
        return self.factor ** (1 / self.layers) if self.layers else 1.0


class Fold(NamedTuple):
    """Layers that repeat.

    Args:
        start: Place of the first one that is left out.
        stop: Place after the last one.
        period: How many layers a block has.
    """

    start: int
    stop: int
    period: int


def base(name: str) -> str:
    """Return a module's path without the number of the call.

    Example:
        >>> base("block#2")
        'block'
    """
    return name.partition("#")[0]


def containers(layers: Sequence[LayerRecord]) -> set[str]:
    """Return the names of layers that hold others."""
    above: set[str] = set()
    for layer in layers:
        path = base(layer["name"])
        above.update(path[: found.start()] for found in _SEPARATOR.finditer(path))
    return {layer["name"] for layer in layers if base(layer["name"]) in above}


def shown(profile: ProfileRecord) -> list[LayerRecord]:
    """Return the layers without those that return what the one before does, as most blocks do."""
    kept: list[LayerRecord] = []
    for layer in profile["layers"]:
        if not (kept and layer["forward"] is not None and _same(kept[-1], layer)):
            kept.append(layer)
    return kept


def _same(one: LayerRecord, other: LayerRecord) -> bool:
    if one["shape"] != other["shape"] or other["chi_1"] not in (None, one["chi_1"]):
        return False
    pairs = [(q_of(one, way), q_of(other, way)) for way in ("forward", "backward")]
    return all(a == b or (a and b and abs(a / b - 1) < _ALIKE) for a, b in pairs)


def steps(profile: ProfileRecord) -> tuple[list[LayerRecord], str]:
    """Return the layers that are one step of depth each, and what they are called.

    These are the blocks of a model that has some in a row, else the layers with weights.
    """
    found: dict[str, list[LayerRecord]] = {}
    holding = containers(profile["layers"])
    for layer in profile["layers"]:
        if layer["name"] in holding and (pattern := _NUMBER.sub("#", layer["name"])) != layer["name"]:
            found.setdefault(pattern, []).append(layer)
    # Of blocks and of what is in each of them, the blocks.
    outer = min(found, key=lambda pattern: (-len(found[pattern]), len(pattern)), default="")
    blocks = found.get(outer, [])
    return (blocks, "blocks") if len(blocks) >= _ROW else (weighted(profile), "layers with weights")


def weighted(profile: ProfileRecord) -> list[LayerRecord]:
    """Return the layers that have a weight of two axes or more; all of them where none has."""
    owners = {_owner(weight["name"]) for weight in profile["parameters"] if len(weight["shape"]) > 1}
    found = [layer for layer in profile["layers"] if base(layer["name"]) in owners]
    return found or shown(profile)


def _owner(parameter: str) -> str:
    places = [found.start() for found in _SEPARATOR.finditer(parameter)]
    return parameter[: places[-1]] if places else parameter


def q_of(layer: LayerRecord, direction: str) -> float | None:
    """Return the second moment of a layer's outputs ("forward") or of their gradient ("backward")."""
    found = layer["forward"] if direction == "forward" else layer["backward"]
    return None if found is None else found["q"]["value"]


def change(profile: ProfileRecord, direction: str) -> Change | None:
    """Return what becomes of the signal, or from the last layer back, of the gradient; None where unknown.

    Args:
        profile: The profile.
        direction: "forward" or "backward".
    """
    layers, what = steps(profile)
    known = [(layer["name"], value) for layer in layers if (value := q_of(layer, direction)) is not None]
    known = [(name, value) for name, value in known if value > 0]
    if direction == "backward":
        known.reverse()
        if what != "blocks" and len(known) > _ROW:
            known = known[1:]  # what the loss gives the head is no matter of depth
    if not known:
        return None
    factors = [(b / a, name) for (_, a), (name, b) in itertools.pairwise(known)]
    jump, where = max(factors, key=lambda step: abs(math.log(step[0])), default=(1.0, known[0][0]))
    (start, first), (end, last) = known[0], known[-1]
    return Change(start, end, first, last, len(known) - 1, jump, where, what)


def chi(profile: ProfileRecord) -> tuple[float, int] | None:
    """Return the geometric mean of chi_1 and of how many layers it is; None where it is not known of most."""
    values = [layer["chi_1"] for layer in shown(profile) if layer["chi_1"]]
    if len(values) < 2 or len(values) < 0.8 * len(weighted(profile)):
        return None
    logs = [math.log(value) for value in values if value]
    return math.exp(sum(logs) / len(logs)), len(logs)


def folds(layers: Sequence[LayerRecord], longest: int = 32) -> list[Fold]:
    """Return what to leave out of a long list of layers: blocks that repeat, but for the first and the last.

    Args:
        layers: The list.
        longest: Up to how many layers nothing is left out.
    """
    return folded([(pattern(layer["name"]), layer["type"], layer["unknown"]) for layer in layers], longest)


def pattern(name: str) -> str:
    """Return a path without its numbers.

    Example:
        >>> pattern("h.12.mlp")
        'h.#.mlp'
    """
    return _NUMBER.sub("#", name)


def folded(kinds: Sequence[object], longest: int = 32) -> list[Fold]:
    """Return what to leave out of a long list: blocks that repeat, but for the first and the last.

    Args:
        kinds: What is the same where blocks repeat.
        longest: Up to how many nothing is left out.

    Example:
        >>> folded([0, 1, 1, 1, 1, 1, 2], longest=6)
        [Fold(start=2, stop=5, period=1)]
    """
    return list(_folds(kinds)) if len(kinds) > longest else []


def _folds(kinds: Sequence[object]) -> Iterator[Fold]:
    place = 0
    while place < len(kinds):
        period, times = _repeats(kinds, place)
        if times > 3:
            yield Fold(place + period, place + period * (times - 1), period)
            place += period * times
        else:
            place += 1


def _repeats(kinds: Sequence[object], place: int) -> tuple[int, int]:
    """Return the period and the number of the blocks that begin at a place and cover most."""
    best = 1, 1
    for period in range(1, min(_LONGEST, (len(kinds) - place) // 4) + 1):
        block, times = kinds[place : place + period], 1
        while kinds[place + times * period : place + (times + 1) * period] == block:
            times += 1
        if times > 3 and period * times > best[0] * best[1]:
            best = period, times
    return best
