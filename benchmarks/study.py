"""The original study, 4 initializers x 100 seeds, beside Keras' own loop and a version written by hand."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
FANIN = str(Path(sys.executable).parent / "fanin")
BACKENDS = ("jax", "torch", "tensorflow")
SEEDS = (25, 100, 400)
# Multiply-adds of the three layers for one row, forward; training costs about three times as much.
FORWARD = 2 * (20 * 64 + 64 * 32 + 32)
FLOPS_A_RUN = 10 * (800 * (3 * FORWARD - 2 * 20 * 64) + 200 * FORWARD)

Numbers = dict[str, dict[str, float]]


def timed(*command: str, backend: str = "jax") -> tuple[float, str]:
    """Run a command; return its wall time and what it printed."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONWARNINGS": "ignore",
    }
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return time.perf_counter() - began, done.stdout


def script(name: str, *arguments: str, backend: str = "jax") -> dict[str, float]:
    """Run a script of this folder; return the numbers in its last line, and its wall time."""
    wall, printed = timed(sys.executable, str(HERE / f"{name}.py"), *arguments, backend=backend)
    return {**json.loads(printed.splitlines()[-1]), "process": wall}


def one_round() -> Numbers:
    """Run every program once."""
    numbers: Numbers = {}
    for backend in BACKENDS:
        if importlib.util.find_spec(backend) is not None:
            numbers[backend] = script("seed_script", backend=backend)
    numbers["handwritten"] = script("handwritten", "100")
    for seeds in SEEDS:
        numbers[f"fanin {seeds}"] = script("fanin_study", str(seeds))
    numbers["fanin 100"]["process"] = timed(FANIN, "compare", "--seeds", "100")[0]
    numbers["start"] = {
        "python": timed(sys.executable, "-c", "pass")[0],
        "import": timed(sys.executable, "-c", "import fanin")[0],
        "help": timed(FANIN, "--help")[0],
    }
    return numbers


def medians(rounds: list[Numbers]) -> Numbers:
    """Return the median of every number over the rounds."""
    gathered: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for numbers in rounds:
        for program, found in numbers.items():
            for key, value in found.items():
                gathered[program][key].append(value)
    return {
        program: {key: statistics.median(values) for key, values in found.items()}
        for program, found in gathered.items()
    }


def gflops() -> float:
    """Return the machine's rate of float32 matrix products, in GFLOP/s."""
    a = np.random.default_rng(0).random((1024, 1024), np.float32)
    times = []
    for _ in range(9):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * 1024**3 / min(times) / 1e9


def measure() -> dict[str, Any]:
    """Run everything, the programs in turn, so that a slow minute of the machine is slow for all."""
    rounds = int(os.environ.get("ROUNDS", "5"))
    return {"rounds": rounds, "gflops": gflops(), **medians([one_round() for _ in range(rounds)])}


def lines(result: dict[str, Any]) -> list[str]:
    """Return the results as lines of RESULTS.md."""
    fanin, hand, start = result["fanin 100"], result["handwritten"], result["start"]
    peers = {name: result[name] for name in BACKENDS if name in result}
    fastest = min(peer["run"] for peer in peers.values())
    script_time = min(peer["process"] for peer in peers.values())
    cold, warm = fanin["seconds"] / fanin["runs"], fanin["compiled"]
    floor = FLOPS_A_RUN / (result["gflops"] * 1e9)
    return [
        "## Many runs: the original study, 4 initializers x 100 seeds",
        "",
        f"Medians of {result['rounds']} rounds, each program in a fresh process; "
        f"{result['gflops']:.0f} GFLOP/s of sgemm.",
        "",
        "| | a run | a run, once compiled | whole process |",
        "|---|---|---|---|",
        *(
            f"| Keras `fit` on {name} | {peer['run'] * 1e3:.0f} ms | | {peer['process']:.1f} s for 4 runs |"
            for name, peer in peers.items()
        ),
        f"| written by hand for this model ([handwritten.py](handwritten.py)) "
        f"| {1e3 * hand['seconds'] / hand['runs']:.2f} ms | {1e3 * hand['compiled']:.2f} ms | |",
        f"| fanin | {1e3 * cold:.2f} ms | {1e3 * warm:.2f} ms | {fanin['process']:.1f} s for 400 runs |",
        "",
        f"- Runs a second, against the fastest Keras backend: {fastest / cold:.0f} times with tracing and "
        f"compilation, {fastest / warm:.0f} times once compiled.",
        f"- The whole command, cold, takes {fanin['process'] / script_time:.2f} of the time that the original "
        "script takes for its four runs.",
        f"- A run is {FLOPS_A_RUN / 1e6:.0f} MFLOP of matrix products, {1e3 * floor:.2f} ms at the machine's "
        f"sgemm rate; compiled runs reach {floor / warm:.0%} of it.",
        "",
        "### Memory",
        "",
        "| runs | peak |",
        "|---|---|",
        *(
            f"| {result[f'fanin {seeds}']['runs']:.0f} | {result[f'fanin {seeds}']['peak_mib']:.0f} MiB |"
            for seeds in SEEDS
        ),
        "",
        "### Start-up",
        "",
        f"`python -c pass` {start['python']:.3f} s, `import fanin` {start['import'] - start['python']:+.3f} s, "
        f"`fanin --help` {start['help']:.3f} s.",
    ]
