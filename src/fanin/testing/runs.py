"""Runs to fill stores with: any process makes the same ones from the same seeds."""

from __future__ import annotations

import math
import random
import struct

from fanin.frameworks.training import Run

_SPECIAL = (math.nan, -math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308)


def make_run(scheme: str, seed: int, *, epochs: int = 10, metrics: int = 4) -> Run:
    """Return a run whose curves are random doubles, one in ten not finite or at the edge of doubles.

    Args:
        scheme: Its scheme.
        seed: Its seed.
        epochs: Values in each curve.
        metrics: How many curves.

    Example:
        >>> run = make_run("zeros", 3)
        >>> len(run.curves), len(run.curves["metric0"])
        (4, 10)
        >>> same_bits(run, make_run("zeros", 3)), same_bits(run, make_run("zeros", 4))
        (True, False)
    """
    source = random.Random(f"{scheme} {seed}")

    def value() -> float:
        return source.choice(_SPECIAL) if source.random() < 0.1 else source.gauss(0, 1)

    curves = {f"metric{k}": tuple(value() for _ in range(epochs)) for k in range(metrics)}
    return Run(
        scheme, seed, curves, seconds=source.random(), versions={"python": "3.11.7", "keras": "3.15.0"}
    )


def same_bits(a: Run, b: Run) -> bool:
    """Return whether two runs are the same, each double to the last bit, NaN's sign and payload too.

    Example:
        >>> nan = float("nan")
        >>> same_bits(Run("zeros", 0, {"loss": (nan,)}), Run("zeros", 0, {"loss": (nan,)}))
        True
        >>> same_bits(Run("zeros", 0, {"loss": (nan,)}), Run("zeros", 0, {"loss": (-nan,)}))
        False
    """
    return _content(a) == _content(b)


def _content(run: Run) -> tuple[object, ...]:
    curves = [(name, struct.pack(f"<{len(curve)}d", *curve)) for name, curve in run.curves.items()]
    return run.scheme, run.seed, curves, struct.pack("<d", run.seconds), dict(run.versions)
