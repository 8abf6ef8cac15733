"""Models at step 0: what a check costs, and whether it keeps quiet on healthy models."""

from __future__ import annotations

from typing import Any

from benchmarks.checking import cost, sweep


def measure() -> dict[str, Any]:
    """Measure the clock first, alone; then look at every healthy family."""
    return {"cost": cost.measure(), "sweep": sweep.measure()}


def lines(result: dict[str, Any]) -> list[str]:
    """Return the results as lines of RESULTS.md."""
    return [
        "## Models at step 0",
        "",
        *cost.lines(result["cost"]),
        "",
        *sweep.lines(result["sweep"]),
    ]
