"""Orthogonal matrices beside fanin's peers: one process, rounds in turn, medians and ratios.

What is timed is what a user calls: fanin's draws the Gaussian values, makes the matrix and scales it.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np
import torch

from benchmarks.fill import KEY, THREADS, Peers, compiled
from benchmarks.fill import measure as medians
from fanin.graph.parameter import Parameter
from fanin.schemes.distributions import Orthogonal
from fanin.schemes.draw import draw

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SHAPES = ((64, 64), (256, 256), (1024, 1024), (2048, 2048), (4096, 4096), (4096, 1024), (1024, 4096))


def peers(shape: tuple[int, int]) -> Peers:
    """Return what is measured, fanin first."""
    kernel, tensor = Parameter("kernel", shape, "kernel", ("out", "in")), torch.empty(shape)
    in_jax, in_keras = jax.nn.initializers.orthogonal(), keras.initializers.Orthogonal(seed=0)
    return {
        "fanin": lambda: draw(Orthogonal(), kernel, KEY),
        "torch.nn.init.orthogonal_": lambda: torch.nn.init.orthogonal_(tensor),
        "jax.nn.initializers.orthogonal": compiled(partial(in_jax, shape=shape), jax.random.key(0)),
        "keras.initializers.Orthogonal": lambda: jax.block_until_ready(in_keras(shape)),
    }


def measure() -> dict[str, Any]:
    """Time every shape, its programs in turn."""
    torch.set_num_threads(THREADS)
    times = {}
    for shape in SHAPES:
        group = peers(shape)
        found = medians(list(group.values()), ROUNDS if min(shape) > 256 else 10 * ROUNDS)
        times["{} × {}".format(*shape)] = dict(zip(group, found, strict=True))
    return {"threads": THREADS, "rounds": ROUNDS, "lost": lost(1024), "times": times}


def lost(side: int) -> dict[str, float]:
    """Return how far Q^T Q is from the identity at most."""
    kernel, tensor = Parameter("kernel", (side, side), "kernel", ("out", "in")), torch.empty(side, side)
    made = {"fanin": draw(Orthogonal(), kernel, KEY), "torch": torch.nn.init.orthogonal_(tensor).numpy()}
    wide = {name: q.astype(np.float64) for name, q in made.items()}
    return {name: float(np.abs(q.T @ q - np.eye(side)).max()) for name, q in wide.items()}


def lines(result: dict[str, Any]) -> list[str]:
    """Return the results as lines of RESULTS.md."""
    return [
        "## Orthogonal matrices",
        "",
        f"float32, {result['threads']} threads, medians of {result['rounds']} rounds in turn. Of 1024 × 1024, "
        "Q^T Q is the identity within "
        + ", ".join(f"{error:.1e} ({name})" for name, error in result["lost"].items())
        + ".",
        "",
        "| | | ms | fanin is faster by |",
        "|---|---|---|---|",
        *(
            f"| {shape} | {name} | {1e3 * seconds:.3g} | {seconds / group['fanin']:.2f} |"
            for shape, group in result["times"].items()
            for name, seconds in group.items()
        ),
    ]


if __name__ == "__main__":
    print("\n".join(lines(measure())))
