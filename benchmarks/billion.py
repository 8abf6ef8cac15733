"""Fill a model of 1e9 parameters; print the seconds and the extra memory. A process of its own, for its peak."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import nn

import fanin

LAYERS, WIDTH, ROUNDS, THREADS = 60, 4096, 5, 2
MIB = 1 << 20


def seconds(program: Callable[[], object]) -> float:
    began = time.perf_counter()
    program()
    return time.perf_counter() - began


def resident() -> float:
    """Return the memory in use now, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB


def peak() -> float:
    """Return the most memory in use so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def constant(model: nn.Module) -> None:
    """Write one number everywhere by two threads: no fill is faster than the memory."""
    arrays = [p.detach().view(-1).numpy() for p in model.parameters()]
    halves = [half for array in arrays for half in (array[: len(array) // 2], array[len(array) // 2 :])]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda half: half.fill(1.0), halves))


def main() -> None:
    scheme = "normal(stddev=0.02)"
    fanin.initialize(nn.Linear(1024, 1024), scheme)  # loads the compiled code
    with torch.device("meta"):
        model = nn.Sequential(*(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS)))
    parameters = sum(p.numel() for p in model.parameters())
    plan, before = fanin.plan(model, scheme), resident()
    first = seconds(lambda: fanin.apply(plan, model))
    extra = peak() - before - 4 * parameters / MIB
    rounds = [
        (seconds(lambda: fanin.apply(plan, model)), seconds(lambda: constant(model))) for _ in range(ROUNDS)
    ]
    normal, written = map(min, zip(*rounds, strict=True))
    record = {"parameters": parameters, "first": first, "normal": normal, "constant": written}
    print(json.dumps({**record, "extra_mib": extra, "model_mib": 4 * parameters / MIB}))


if __name__ == "__main__":
    main()
