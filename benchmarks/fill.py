"""The fill beside its peers: one process, one float32 matrix, rounds in turn, medians and ratios."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import torch

from fanin.frameworks.jax import fill as in_jax
from fanin.random.fill import fill_normal, fill_truncated_normal, fill_uniform

SIDE = int(os.environ.get("SIDE", "4096"))
ROUNDS = int(os.environ.get("ROUNDS", "9"))
THREADS = int(os.environ.get("THREADS", "2"))

KEY = 0x0123456789ABCDEF
SHAPE = (SIDE, SIDE)
Peers = dict[str, Callable[[], object]]


def constant(out: np.ndarray) -> None:
    """Write one number everywhere: no fill is faster than the memory."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda part: part.fill(1.0), np.array_split(out, THREADS)))


def compiled(function: Callable[[jax.Array], jax.Array], argument: jax.Array) -> Callable[[], object]:
    jitted = jax.jit(function)
    return lambda: jitted(argument).block_until_ready()


def peers() -> dict[str, Peers]:
    """Return what is measured, by distribution; fanin first."""
    out, tensor = np.empty(SHAPE, np.float32), torch.empty(SHAPE)
    numpy, key, words = np.random.default_rng(0), jax.random.key(0), in_jax.key_words(KEY)
    return {
        "normal": {
            "fanin": lambda: fill_normal(out, KEY, threads=THREADS),
            "torch.nn.init.normal_": lambda: torch.nn.init.normal_(tensor),
            "numpy standard_normal": lambda: numpy.standard_normal(out=out, dtype=np.float32),
            "jax.random.normal": compiled(lambda key: jax.random.normal(key, SHAPE), key),
            "fanin in JAX": compiled(lambda key: in_jax.normal(key, SHAPE), words),
        },
        "truncated normal": {
            "fanin": lambda: fill_truncated_normal(out, KEY, threads=THREADS),
            "torch.nn.init.trunc_normal_": lambda: torch.nn.init.trunc_normal_(
                tensor, std=1.0, a=-2.0, b=2.0
            ),
            "jax.random.truncated_normal": compiled(
                lambda key: jax.random.truncated_normal(key, -2.0, 2.0, SHAPE), key
            ),
            "fanin in JAX": compiled(lambda key: in_jax.truncated_normal(key, SHAPE), words),
        },
        "uniform": {
            "fanin": lambda: fill_uniform(out, KEY, threads=THREADS),
            "torch.nn.init.uniform_": lambda: torch.nn.init.uniform_(tensor),
            "numpy random": lambda: numpy.random(out=out, dtype=np.float32),
            "jax.random.uniform": compiled(lambda key: jax.random.uniform(key, SHAPE), key),
            "fanin in JAX": compiled(lambda key: in_jax.uniform(key, SHAPE), words),
        },
        "constant": {"two threads of numpy": lambda: constant(out)},
    }


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def measure(programs: list[Callable[[], object]], rounds: int = ROUNDS) -> list[float]:
    """Return the median time of each; in turn, so that a slow second of the machine is slow for all."""
    for program in programs:
        program()
    found = [[seconds(program) for program in programs] for _ in range(rounds)]
    return [statistics.median(times) for times in zip(*found, strict=True)]


def main() -> None:
    torch.set_num_threads(THREADS)
    everything = peers()
    found = iter(measure([program for group in everything.values() for program in group.values()]))
    times = {law: {name: next(found) for name in group} for law, group in everything.items()}
    (memory,) = times["constant"].values()
    size = SIDE * SIDE
    print(f"{SIDE} x {SIDE} float32, {THREADS} threads, medians of {ROUNDS} rounds in turn")
    print(f"writing a constant: {size / memory / 1e6:.0f} M values/s, {4 * size / memory / 1e9:.1f} GB/s\n")
    for law, group in times.items():
        if law != "constant":
            print(f"{law:<30} M values/s   of memory   fanin is faster by")
            for name, time_taken in group.items():
                ratio = time_taken / group["fanin"]
                print(
                    f"  {name:<28} {size / time_taken / 1e6:>10.1f} {memory / time_taken:>11.1%} {ratio:>15.2f}"
                )
            print()


if __name__ == "__main__":
    main()
