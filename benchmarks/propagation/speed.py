"""How long a prediction takes and what memory, each case in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.propagation.cases import CASES

ROOT = Path(__file__).parents[2]
GOALS = {
    "MLP, 10 × 512": 3.0,
    "ResNet-50, 8 × 3 × 224²": 3.0,
    "GPT-2, 124M, 8 × 128": 3.0,
    "GPT-2, 124M, 8 × 1024": 3.0,
    "Llama, 70B, on meta, 8 × 128": 30.0,
    "Llama, 70B, on meta, 8 × 2048": 30.0,
    "attention, 12 × 64, 8 × 2048": 10.0,
    "causal attention, 12 × 64, 8 × 2048": 10.0,
}
"""Seconds."""


def measure() -> dict[str, Any]:
    """Time every case."""
    return {name: _case(name) for name in CASES}


def _case(name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.propagation.cold", name]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        return {"fails": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def lines(result: dict[str, Any]) -> list[str]:
    """Return the table as lines of RESULTS.md."""
    return [
        "### How fast",
        "",
        "Each in a fresh process; without imports and without making the model.",
        "",
        "| | seconds | goal | of it tracing | peak memory | of it before | nodes | a layer unknown |",
        "|---|---|---|---|---|---|---|---|",
        *(_line(name, one) for name, one in result.items()),
        "",
        f"- {_by_depth(result)}",
        f"- The first prediction of a process, of two layers, loads what the others then have: "
        f"{max(one['first'] for one in result.values() if 'first' in one):.1f} s at most.",
    ]


def _line(name: str, one: dict[str, Any]) -> str:
    if "fails" in one:
        return f"| {name} | fails: {one['fails'][:80]} | | | | | | |"
    goal = f"{GOALS[name]:.0f}" if name in GOALS else ""
    memory = f"{one['peak_mib']:.0f} MiB | {one['before_mib']:.0f} MiB"
    return (
        f"| {name} | {one['seconds']:.2f} | {goal} | {one['tracing']:.2f} | {memory} "
        f"| {one['nodes']} | {one['unknown']} of {one['layers']} |"
    )


def _by_depth(result: dict[str, Any]) -> str:
    blocks = {case.blocks: result[name] for name, case in CASES.items() if case.blocks}
    known = {count: one["seconds"] / count for count, one in blocks.items() if "seconds" in one}
    told = ", ".join(f"{1000 * seconds:.0f} ms ({count})" for count, seconds in known.items())
    return f"Seconds a block, by the number of blocks: {told}."
