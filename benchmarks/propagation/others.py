"""What others say of the same models without running them: AnyInit's own prediction, and whether the rest imports."""

from __future__ import annotations

import contextlib
import io
import math
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

import fanin
from benchmarks.propagation.agreement import WAYS, Miss, Place, places, steps
from benchmarks.propagation.rows import ROWS
from fanin.theory.profile import Estimate, SignalProfile

NETWORKS = 20
NAMES = (
    "MLP, 10 × 512, relu",
    "MLP, 10 × 512, silu",
    "CNN, 8 × 64-128",
    "ResNet-18, stream, eval",
    "Transformer, pre-LN",
    "nn.TransformerEncoder, pre-LN",
    "GPT-2 (transformers), sdpa",
    "Llama (transformers)",
    "LSTM, 3 × 256, 32 steps",
)
_TRACING = "neural-tangents"


def measure() -> dict[str, Any]:
    """Ask AnyInit for its prediction of the weights that it draws, and fanin for its own of the same."""
    rows = {row.name: row for row in ROWS}
    return {
        "networks": NETWORKS,
        "anyinit": {name: _beside(rows[name].build, rows[name].inputs) for name in NAMES},
        _TRACING: _imports(_TRACING, "neural_tangents"),
    }


def _beside(build: Callable[[], nn.Module], inputs: Any) -> dict[str, Any]:
    """Return how far either is off, over the layers that AnyInit predicts."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            reports, predicted, measured = _predictions(build, inputs)
        except Exception as error:  # a peer may stop with anything: that is its result
            return {"fails": f"{type(error).__name__}: {error}"}
    theirs = _told(reports)
    told = {one.name for one in theirs}
    forward, backward = (
        [one for one in places(predicted, measured, way) if one.name in told] for way in WAYS
    )
    return {
        "graph": reports[0]["graph_fidelity"],
        "layers": len(predicted),
        "told": len(theirs),
        "anyinit": _worst(steps(theirs)),
        "forward": _worst(steps(forward)),
        "backward": _worst(steps(reversed(backward))),
        "noise": float(np.median([miss.error for miss in steps(forward)])) if forward else None,
    }


def _told(reports: list[dict[str, Any]]) -> list[Place]:
    """Return the second moments that AnyInit predicts, with what it finds in its own passes."""
    networks = [{one["name"]: one for one in report["layers"]} for report in reports]
    return [
        Place(
            name,
            one["kind"],
            Estimate(one["predicted"]),
            np.array([net[name]["measured"] for net in networks]),
        )
        for name, one in networks[0].items()
        if one["predicted"] and all(net[name]["measured"] for net in networks)
    ]


def _predictions(
    build: Callable[[], nn.Module], inputs: Any
) -> tuple[list[dict[str, Any]], SignalProfile, list[SignalProfile]]:
    """Return AnyInit's reports, fanin's prediction, and networks of AnyInit's weights."""
    import anyinit

    given = inputs if isinstance(inputs, tuple) else torch.randint(1000, (8, 64))
    reports, measured = [], []
    for seed in range(NETWORKS):
        torch.manual_seed(seed)
        model = build().eval()
        reports.append(anyinit.initialize(model, "analytic", given, seed=seed).to_dict())
        # Seeds apart: inputs and weights of one seed may be the same numbers.
        measured.append(fanin.measure(model, inputs=inputs, seeds=(1000 + seed,), progress=False))
    model = build().eval()
    anyinit.initialize(model, "analytic", given, seed=NETWORKS)
    return reports, fanin.propagate(model, inputs=inputs), measured


def _worst(misses: Iterable[Miss]) -> float | None:
    return max((miss.log for miss in misses), key=abs, default=None)


def _imports(package: str, module: str) -> str:
    """Return what happens when a package is installed apart, beside this JAX, and imported."""
    with tempfile.TemporaryDirectory() as folder:
        install = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, package]
        done = subprocess.run([sys.executable, *install], capture_output=True, text=True)
        if done.returncode:
            return "pip does not install it here"
        program = f"import sys; sys.path.append({folder!r}); import {module}; print({module}.__version__)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1].partition(" (/")[0]
    return f"imports, {done.stdout.strip()}"


def lines(result: dict[str, Any]) -> list[str]:
    """Return the table as lines of RESULTS.md."""
    return [
        "### Who else",
        "",
        f"AnyInit 0.4.0 predicts second moments of the weights that it draws itself. Held against {result['networks']} "
        "networks of such weights, worst ratio of neighbours over the layers that it tells of, in percent: of its own "
        "prediction, and of what fanin predicts of one of these networks.",
        "",
        "| | its graph | layers it tells of | AnyInit, forward | fanin, forward | fanin, backward | noise |",
        "|---|---|---|---|---|---|---|",
        *(_line(name, one) for name, one in result["anyinit"].items()),
        "",
        "- AnyInit is held against its own validation passes, at the points that it predicts; fanin against its own, "
        "one input apart. AnyInit predicts no gradient, no correlation and no error bar, and nothing of weights that "
        "something else drew. Its graph is a chain of layers where its tracer gives up.",
        f"- {_TRACING}, installed beside this JAX: {result[_TRACING]}. It needs a model written in its own layers.",
    ]


def _line(name: str, one: dict[str, Any]) -> str:
    if "fails" in one:
        return f"| {name} | fails: {one['fails'][:70]} | | | | | |"
    shown = " | ".join(_percent(one[key]) for key in ("anyinit", "forward", "backward", "noise"))
    return f"| {name} | {one['graph']} | {one['told']} of {one['layers']} | {shown} |"


def _percent(log: float | None) -> str:
    if log is None:
        return ""
    return f"{100 * math.expm1(log):+.1f}" if abs(log) < math.log(10) else f"×{math.exp(log):.3g}"
