"""What a check costs: beside plain forward and backward passes, and as a command from nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[2]
PASSES, MEMORY = 6.0, 2.0
"""Goals: as many plain passes, and as many times a training step's memory."""
COMMANDS = {
    "torch": (
        4.0,
        "import torch\n\n\ndef make():\n"
        "    return torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))\n",
    ),
    "jax": (
        3.0,
        "import flax.linen as nn\n\n\ndef make():\n"
        "    return nn.Sequential([nn.Dense(64), nn.relu, nn.Dense(10)])\n",
    ),
}
"""Seconds that are the goal, and a file that makes a small model."""
_RUNS = 3


def measure() -> dict[str, Any]:
    """Measure models in fresh processes, and the command."""
    return {
        "passes": {name: _alone(name) for name in ("resnet50", "gpt2")},
        "commands": {name: _command(source) for name, (_, source) in COMMANDS.items()},
    }


def _alone(name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.checking.alone", name]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        return {"fails": (done.stderr.strip().splitlines() or ["?"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def _command(source: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.py"
        path.write_text(source)
        command = [sys.executable, "-m", "fanin", "check", f"{path}:make", "--input", "32x20"]
        command += ["--loss", "cross_entropy"]
        seconds = []
        for _ in range(_RUNS):
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
            seconds.append(time.perf_counter() - began)
            if done.returncode:
                return {"fails": (done.stderr or done.stdout).strip().splitlines()[-1]}
    return {"seconds": median(seconds)}


def lines(result: dict[str, Any]) -> list[str]:
    """Return the tables as lines of RESULTS.md."""
    return [
        "### What a check costs",
        "",
        "Seconds and memory of a check beside those of a plain forward and backward pass of the same batch, in "
        "one process; medians.",
        "",
        "| | plain | check | passes | goal | peak memory of a step | with the check | goal |",
        "|---|---|---|---|---|---|---|---|",
        *(_line(name, one) for name, one in result["passes"].items()),
        "",
        "The whole command on a model of two layers, from nothing: "
        + "; ".join(_told(name, one) for name, one in result["commands"].items())
        + ".",
    ]


def _line(name: str, one: dict[str, Any]) -> str:
    if "fails" in one:
        return f"| {name} | fails: {one['fails'][:80]} | | | | | | |"
    passes, memory = one["check"] / one["plain"], one["peak"] / one["step_peak"]
    return (
        f"| {one['title']} | {one['plain']:.2f} s | {one['check']:.2f} s | {passes:.1f} "
        f"| {PASSES:.0f}: {'met' if passes <= PASSES else 'missed'} | {one['step_peak']:.0f} MiB "
        f"| × {memory:.2f} | {MEMORY:.0f}: {'met' if memory <= MEMORY else 'missed'} |"
    )


def _told(name: str, one: dict[str, Any]) -> str:
    goal = COMMANDS[name][0]
    if "fails" in one:
        return f"{name} fails ({one['fails'][:80]})"
    return f"{name} {one['seconds']:.1f} s (goal {goal:.0f}: {'met' if one['seconds'] <= goal else 'missed'})"
