"""Signals predicted without running a model: how near, how honest, how fast, and who else can."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from benchmarks.propagation import others, page, speed
from benchmarks.propagation.pooling import by_type


def measure() -> dict[str, Any]:
    """Measure the clock first, alone; then every row, two processes of one thread each."""
    timed = speed.measure()
    from benchmarks.propagation.rows import ROWS

    with two_processes() as pool:
        beside = pool.submit(others.measure)
        cells = list(pool.map(_cell, range(len(ROWS))))
    table = {row.name: cell for row, cell in zip(ROWS, cells, strict=True)}
    types = by_type([cell.pop("types") for cell in cells if "types" in cell])
    return {"speed": timed, "table": table, "types": types, "others": beside.result()}


def two_processes() -> ProcessPoolExecutor:
    """Return two processes of one thread each."""
    return ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=_one_thread)


def _cell(number: int) -> dict[str, Any]:
    from benchmarks.propagation.accuracy import cell
    from benchmarks.propagation.rows import ROWS

    return cell(ROWS[number])


def _one_thread() -> None:
    os.environ["KERAS_BACKEND"] = "jax"
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)


def lines(result: dict[str, Any]) -> list[str]:
    """Return the results as lines of RESULTS.md."""
    return [
        "## Signals predicted, nothing run",
        "",
        "`fanin.propagate` beside `fanin.measure`: second moments of every layer's outputs and gradients, and of every "
        "parameter's gradient.",
        "",
        *page.accuracy(result["table"]),
        "",
        *page.bars(result["table"], result["types"]),
        "",
        *speed.lines(result["speed"]),
        "",
        *others.lines(result["others"]),
    ]
