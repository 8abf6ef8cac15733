"""Each operation predicted by itself, beside networks that are measured."""

from __future__ import annotations

from typing import Any

from benchmarks.propagation import page, two_processes


def measure() -> dict[str, Any]:
    """Measure every operation, two processes of one thread each."""
    from benchmarks.operations.rows import NETWORKS, OF_SUMS, OF_TEXTS, OPERATIONS

    with two_processes() as pool:
        cells = list(pool.map(_cell, range(len(OPERATIONS))))
    table = {row.name: cell for row, cell in zip(OPERATIONS, cells, strict=True)}
    return {"networks": NETWORKS, "of_texts": OF_TEXTS, "of_sums": OF_SUMS, "table": table}


def _cell(number: int) -> dict[str, Any]:
    from benchmarks.operations.rows import OPERATIONS
    from benchmarks.propagation.accuracy import cell

    return cell(OPERATIONS[number])


def lines(result: dict[str, Any]) -> list[str]:
    """Return the results as lines of RESULTS.md."""
    return [
        "## Each operation by itself",
        "",
        f"An operation between two layers with weights, held against {result['networks']} networks of PyTorch, "
        f"{result['of_texts']} where they read texts, {result['of_sums']} where they sum over them. Ratios of second moments of neighbours, forward and backward, and "
        "E[∂w²] of every parameter, in percent: the worst ± its standard error, and in brackets the median. The goal is "
        "1 percent.",
        "",
        *page.operations(result["table"]),
    ]
