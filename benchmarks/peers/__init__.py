"""Who keeps signals: the worst change of second moments between neighbouring layers, fanin beside its peers."""

from __future__ import annotations

import gc
import math
import statistics
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from benchmarks.peers.judge import Verdict, verdict

OURS = "auto"
SEEDS = 10
WAYS = ("forward", "backward")


def measure() -> dict[str, Any]:
    """Measure every contender on every model, two processes of one thread each."""
    from benchmarks.peers.contenders import CONTENDERS
    from benchmarks.peers.rows import ROWS

    jobs = [(row, name) for row in range(len(ROWS)) for name in CONTENDERS]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        cells = list(pool.map(_cell, *zip(*jobs, strict=True)))
    table: dict[str, dict[str, Any]] = {row.name: {} for row in ROWS}
    for (row, name), cell in zip(jobs, cells, strict=True):
        table[ROWS[row].name][name] = cell
    return {"seeds": SEEDS, "table": table}


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _cell(row: int, contender: str) -> dict[str, Any]:
    """Return a contender's worst ratios on a model, one of each seed, or what it stopped with."""
    from benchmarks.peers.ratios import worst_ratios
    from benchmarks.peers.rows import ROWS

    found = []
    for seed in range(SEEDS):
        try:
            found.append(worst_ratios(ROWS[row], contender, seed))
        except Exception as error:  # a peer may stop with anything: that is its result
            return {"fails": f"{type(error).__name__}: {error}"}
        gc.collect()  # models and what a peer notes of them hold each other
    return {way: [getattr(worst, way) for worst in found] for way in WAYS}


def lines(result: dict[str, Any]) -> list[str]:
    """Return the table as lines of RESULTS.md."""
    table = result["table"]
    names = list(next(iter(table.values())))
    return [
        "## Held against the peers: how well a signal is kept",
        "",
        "Worst ratio of second moments between neighbouring layers, forward / backward; 1 is perfect. "
        f"Medians of {result['seeds']} seeds.",
        "",
        f"| | {' | '.join(names)} | auto is |",
        "|---" * (len(names) + 2) + "|",
        *(_line(model, cells) for model, cells in table.items()),
        "",
        "- Forward: the mean square of a layer's outputs, for standard normal inputs (tokens for GPT-2). Backward: "
        "of the gradient with respect to them, for a standard normal cotangent at the model's output. The model is "
        "in training mode. In residual models the stream after each block is compared with that after the next, "
        "and apart from it what their branches add, like with like.",
        "- own: as the library builds the model (torch, torchvision, timm, GPT-2's paper). AnyInit 0.4.0: "
        "by theory, and on data. LSUV 0.3.0: on data. These two see a batch of the same kind, not the measured "
        "one. Keras, Flax: their layers' own initializers.",
        "- SiLU, GELU: units go in pairs, which end slowly in the last three links: the gradient changes there by "
        "0.94 and 0.98 at most, instead of 2 E[f'^2] (0.76, 0.91) at once.",
        "- ViT: a class token that starts near 0 has its gradient multiplied by 1 / sd in the first norms.",
        "- within noise: the 95 % bootstrap interval of the difference from the best peer reaches 0.",
        *(f"- {model}: {failed}." for model, cells in table.items() if (failed := _failures(cells))),
    ]


def _line(model: str, cells: dict[str, Any]) -> str:
    shown = [_shown(cell, bold=name == OURS) for name, cell in cells.items()]
    return f"| {model} | {' | '.join(shown)} | {_verdicts(cells)} |"


def _shown(cell: dict[str, Any], *, bold: bool) -> str:
    if "fails" in cell:
        return "fails"
    text = " / ".join(_number(statistics.median(cell[way])) for way in WAYS)
    return f"**{text}**" if bold else text


def _number(ratio: float) -> str:
    if not math.isfinite(ratio):
        return "lost"
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.3g}"


def _verdicts(cells: dict[str, Any]) -> str:
    """Return how fanin does each way; one word where it is the same both ways."""
    peers = {name: cell for name, cell in cells.items() if name != OURS and "fails" not in cell}
    found: list[Verdict] = [
        verdict(cells[OURS][way], {name: cell[way] for name, cell in peers.items()}) for way in WAYS
    ]
    return found[0] if len(set(found)) == 1 else " / ".join(found)


def _failures(cells: dict[str, Any]) -> str:
    return "; ".join(
        f"{name} fails ({cell['fails'][:80]})" for name, cell in cells.items() if "fails" in cell
    )
