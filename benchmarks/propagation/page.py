"""The tables of accuracy as lines of RESULTS.md."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from benchmarks.propagation.agreement import WAYS
from benchmarks.propagation.pooling import FEW, pooled

Record = dict[str, Any]
_QUANTITIES = (*WAYS, "gradients")


def accuracy(table: dict[str, Record]) -> list[str]:
    """Return how far predictions are from networks that are measured."""
    return [
        "### How near",
        "",
        "Predicted against measured ratios of neighbouring layers, in percent: the worst ± its standard error, and in "
        "brackets the median. The first ratio is that to the inputs, or to the outputs for gradients.",
        "",
        "| | networks | forward | goal | backward | goal | parameters' gradients | queries and keys | goal |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_line(name, cell) for name, cell in table.items()),
        "",
        "- Neighbours: of MLPs and convolutional networks the layers with weights, of residual ones the stream after each "
        "block, of recurrent ones the layers. Every network has first weights, inputs and cotangents of its own.",
        "- met: each ratio is within the goal; within noise: one is not, by less than two of its standard errors.",
        "- Gradients of parameters are E[∂w²] of each, not a ratio of neighbours; ∞: what is predicted is no second moment.",
        *(f"- {name} fails: {cell['fails'][:200]}" for name, cell in table.items() if "fails" in cell),
    ]


def _line(name: str, cell: Record) -> str:
    if "fails" in cell:
        return f"| {name} | fails | | | | | | | |"
    forward, backward, queries = (_shown(cell[way]) for way in (*WAYS, "queries"))
    goals = [_goal(cell[way]) for way in (*WAYS, "queries")]
    return (
        f"| {name} | {cell['networks']} | {forward} | {goals[0]} | {backward} | {goals[1]} "
        f"| {_shown(cell['gradients'])} | {queries} | {goals[2]} |"
    )


def _shown(found: Record | None) -> str:
    if found is None:
        return ""
    worst = "∞" if found["worst"] is None else f"{_percent(found['worst'])} ± {100 * found['error']:.1f}"
    return f"{worst} ({_percent(found['median']).removeprefix('+')})"


def _percent(log: float) -> str:
    return f"{100 * math.expm1(log):+.1f}" if abs(log) < math.log(10) else f"×{math.exp(log):.3g}"


def _goal(found: Record | None) -> str:
    return "" if found is None else f"{100 * found['goal']:.0f}: {found['verdict']}"


def operations(table: dict[str, Record]) -> list[str]:
    """Return how far predictions of single operations are off."""
    return [
        "| | forward | backward | parameters' gradients | |",
        "|---|---|---|---|---|",
        *(_operation(name, cell) for name, cell in table.items()),
        "",
        *(f"- {name} fails: {cell['fails'][:200]}" for name, cell in table.items() if "fails" in cell),
    ]


def _operation(name: str, cell: Record) -> str:
    if "fails" in cell:
        return f"| {name} | fails | | | |"
    found = [cell[quantity] for quantity in _QUANTITIES]
    verdicts = {one["verdict"] for one in found if one}
    verdict = next(one for one in ("missed", "within noise", "met") if one in verdicts)
    if verdict != "met":
        verdict += ": " + ", ".join(one["where"] for one in found if one and one["verdict"] == verdict)
    return f"| {name} | {' | '.join(_shown(one) for one in found)} | {verdict} |"


def bars(table: dict[str, Record], types: dict[str, Record]) -> list[str]:
    """Return how many measured networks lie within the bars."""
    cells = {name: cell for name, cell in table.items() if "fails" not in cell}
    return [
        "### How honest the bars are",
        "",
        "Share of single networks within two predicted standard deviations, of all layers, not only neighbours; in brackets "
        "by how much networks spread more than predicted (1 is right, 2 is a bar of half the width).",
        "",
        "| | layers | forward | backward | parameters' gradients |",
        "|---|---|---|---|---|",
        *(_bars_line(name, cell["layers"], cell["bars"]) for name, cell in cells.items()),
        _bars_line("**all**", sum(cell["layers"] for cell in cells.values()), _pooled(cells.values())),
        "",
        f"By type of layer, where there are {FEW} or more:",
        "",
        "| | layers | forward | backward |",
        "|---|---|---|---|",
        *(
            f"| {kind} | {ways['forward']['count']} | {_bar(ways['forward'])} | {_bar(ways['backward'])} |"
            for kind, ways in types.items()
        ),
    ]


def _bars_line(name: str, count: int, found: Record) -> str:
    shown = " | ".join(_bar(found[quantity]) for quantity in _QUANTITIES)
    return f"| {name} | {count} | {shown} |"


def _bar(found: Record | None) -> str:
    return "" if found is None else f"{found['within']:.0%} ({found['spread']:.2f})"


def _pooled(cells: Iterable[Record]) -> Record:
    cells = list(cells)
    return {quantity: pooled(cell["bars"][quantity] for cell in cells) for quantity in _QUANTITIES}
