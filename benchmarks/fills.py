"""Filling one matrix with random numbers, fanin beside its peers."""

from __future__ import annotations

from typing import Any

from benchmarks import fill


def measure() -> dict[str, Any]:
    """Time every fill, in turn."""
    everything = fill.peers()
    found = iter(fill.measure([program for group in everything.values() for program in group.values()]))
    times = {law: {name: next(found) for name in group} for law, group in everything.items()}
    return {"side": fill.SIDE, "threads": fill.THREADS, "rounds": fill.ROUNDS, "times": times}


def lines(result: dict[str, Any]) -> list[str]:
    """Return the results as lines of RESULTS.md."""
    times, size = dict(result["times"]), result["side"] ** 2
    (memory,) = times.pop("constant").values()
    return [
        "## Random numbers",
        "",
        f"One matrix of {result['side']} × {result['side']} float32, {result['threads']} threads, medians of "
        f"{result['rounds']} rounds in turn. Writing a constant: {4 * size / memory / 1e9:.1f} GB/s.",
        "",
        "| | | million values a second | of the memory's rate | fanin is faster by |",
        "|---|---|---|---|---|",
        *(
            f"| {law} | {name} | {size / seconds / 1e6:.0f} | {memory / seconds:.0%} "
            f"| {seconds / group['fanin']:.2f} |"
            for law, group in times.items()
            for name, seconds in group.items()
        ),
    ]
