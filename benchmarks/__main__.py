"""Measure, print the ratios, write benchmarks/results.json and benchmarks/RESULTS.md."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
PEERS = ("jax", "torch", "tensorflow")
# Multiply-adds of the three layers for one row, forward; training costs about three times as much.
FORWARD = 2 * (20 * 64 + 64 * 32 + 32)
FLOPS_A_RUN = 10 * (800 * (3 * FORWARD - 2 * 20 * 64) + 200 * FORWARD)


def timed(*command: str, backend: str = "jax") -> tuple[float, str]:
    """Run a command; return its wall time and what it printed."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONWARNINGS": "ignore",
    }
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return time.perf_counter() - began, done.stdout


def last_json(text: str) -> dict[str, Any]:
    """Return the JSON in the last line."""
    return json.loads(text.strip().splitlines()[-1])


def peers(rounds: int) -> dict[str, Any]:
    """Time the original script on each installed backend: the median of its runs, and whole processes."""
    found = {}
    for backend in PEERS:
        if importlib.util.find_spec(backend) is None:
            continue
        processes = [
            timed(sys.executable, str(HERE / "seed_script.py"), backend=backend) for _ in range(rounds)
        ]
        runs = [s for _, out in processes for s in last_json(out)["seconds"]]
        found[backend] = {
            "seconds_per_run": statistics.median(runs),
            "seconds_process": statistics.median(wall for wall, _ in processes),
        }
    return found


def study(seeds: int, rounds: int) -> dict[str, float]:
    """Time `fanin.compare` with four schemes: the medians over fresh processes."""
    results = [
        last_json(timed(sys.executable, str(HERE / "fanin_study.py"), str(seeds))[1]) for _ in range(rounds)
    ]
    return {key: statistics.median(result[key] for result in results) for key in results[0]}


def command_line(rounds: int) -> float:
    """Time the whole process of the command, cold."""
    fanin = str(Path(sys.executable).parent / "fanin")
    return statistics.median(timed(fanin, "compare", "--seeds", "100")[0] for _ in range(rounds))


def startup(rounds: int) -> dict[str, float]:
    """Time an empty Python, `import fanin` and `fanin --help`."""
    commands = {
        "python": (sys.executable, "-c", "pass"),
        "import": (sys.executable, "-c", "import fanin"),
        "help": (str(Path(sys.executable).parent / "fanin"), "--help"),
    }
    return {name: statistics.median(timed(*c)[0] for _ in range(rounds)) for name, c in commands.items()}


def gflops() -> float:
    """Return the machine's rate of float32 matrix products, in GFLOP/s."""
    a = np.random.default_rng(0).random((1024, 1024), np.float32)
    times = []
    for _ in range(9):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * 1024**3 / min(times) / 1e9


def measure(rounds: int) -> dict[str, Any]:
    """Run everything."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "gflops": gflops(),
        "peers": peers(rounds),
        "fanin": {str(seeds): study(seeds, rounds) for seeds in (25, 100, 400)},
        "command_seconds": command_line(rounds),
        "startup": startup(max(rounds, 5)),
    }


def lines(result: dict[str, Any]) -> list[str]:
    """Return the results as the lines of RESULTS.md."""
    hundred = result["fanin"]["100"]
    fastest = min(peer["seconds_per_run"] for peer in result["peers"].values())
    cold = fastest / (hundred["seconds"] / hundred["runs"])
    warm = fastest / (hundred["ms_per_run_compiled"] / 1e3)
    floor = 1e3 * FLOPS_A_RUN / (result["gflops"] * 1e9)
    start = result["startup"]
    return [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {result['date']}: {result['machine']}, {result['gflops']:.0f} GFLOP/s of sgemm.",
        "Medians over fresh processes. Only ratios travel to other machines.",
        "",
        "## Many runs: the original study, 4 initializers x 100 seeds",
        "",
        "| | one run | whole process |",
        "|---|---|---|",
        *(
            f"| Keras `fit` on {name} | {peer['seconds_per_run'] * 1e3:.0f} ms | {peer['seconds_process']:.1f} s for 4 runs |"
            for name, peer in result["peers"].items()
        ),
        f"| fanin, tracing and compilation included | {1e3 * hundred['seconds'] / hundred['runs']:.2f} ms "
        f"| {result['command_seconds']:.1f} s for 400 runs |",
        f"| fanin, once compiled | {hundred['ms_per_run_compiled']:.2f} ms | |",
        "",
        f"- {cold:.0f} times the runs a second of the fastest Keras backend, tracing and compilation included;",
        f"  {warm:.0f} times once compiled.",
        f"- A run is {FLOPS_A_RUN / 1e6:.0f} MFLOP of matrix products: {floor:.2f} ms at the machine's sgemm rate. "
        f"Compiled runs reach {floor / hundred['ms_per_run_compiled']:.0%} of it.",
        "",
        "## Memory",
        "",
        "| runs | peak |",
        "|---|---|",
        *(f"| {int(r['runs'])} | {r['peak_mib']:.0f} MiB |" for r in result["fanin"].values()),
        "",
        "## Start-up",
        "",
        f"`python -c pass` {start['python']:.3f} s, `import fanin` {start['import'] - start['python']:+.3f} s, "
        f"`fanin --help` {start['help']:.3f} s.",
        "",
    ]


def main() -> None:
    """Measure and write."""
    result = measure(int(os.environ.get("ROUNDS", "3")))
    text = "\n".join(lines(result))
    (HERE / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    (HERE / "RESULTS.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
