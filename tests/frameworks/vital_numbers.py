"""One small network with everything that rules look at, and the numbers of vitals for comparison."""

from __future__ import annotations

from typing import Any

import numpy as np


def network() -> dict[str, np.ndarray]:
    """Return weights (in, out) of 20-32-24-5 with dead and twin units, and a batch that saturates a tanh."""
    random = np.random.default_rng(0)
    one = random.normal(0, 0.2, (20, 32))
    two, three = random.normal(0, 0.9, (32, 24)), random.normal(0, 0.3, (24, 5))
    bias = np.zeros(32)
    bias[:4] = -50  # dead
    one[:, 5], two[5] = one[:, 4], two[4]  # twins, forward and backward
    x, y = random.normal(size=(256, 20)), random.integers(0, 5, 256)
    held = {"w1": one, "b1": bias, "w2": two, "b2": np.full(24, 0.1), "w3": three, "b3": np.zeros(5), "x": x}
    return {name: value.astype(np.float32) for name, value in held.items()} | {"y": y.astype(np.int32)}


FIELDS = ("source", "zeros", "saturated", "dead", "twins", "alike", "similarity", "variation", "entropy")


def numbers(vitals: Any) -> dict[str, Any]:
    """Return what all frameworks should agree on, as plain data."""
    layers = [
        {
            "kind": layer.kind,
            "function": layer.function,
            "shape": list(layer.shape),
            "units": layer.units,
            "places": layer.places,
            "output": [layer.output.mean, layer.output.sd, layer.output.largest],
            "gradient": None if layer.gradient is None else [layer.gradient.mean, layer.gradient.sd],
            **{name: getattr(layer, name) for name in FIELDS},
        }
        for layer in vitals.layers
    ]
    parameters = [
        [list(p.shape), p.values.mean, p.values.sd, p.gradient, list(p.zero)] for p in vitals.trained
    ]
    output, target, (given,) = vitals.output, vitals.target, vitals.inputs
    return {
        "layers": layers,
        "parameters": sorted(parameters, key=lambda one: (len(one[0]), one[0])),
        "input": [given.values.mean, given.values.sd, list(given.features or ()), given.constant],
        "output": [output.values.sd, output.loss, output.kind, output.ends_in, output.variation],
        "target": [target.classes, target.entropy, target.mean, target.variance],
        "examples": vitals.examples,
    }


def close(found: Any, expected: Any, path: str = "", rel: float = 1e-4) -> None:
    """Compare plain data; numbers within a relative difference, or 1e-6 of nothing."""
    if isinstance(expected, dict):
        assert set(found) == set(expected), path
        for name, value in expected.items():
            close(found[name], value, f"{path}.{name}", rel)
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for place, value in enumerate(expected):
            close(found[place], value, f"{path}.{place}", rel)
    elif isinstance(expected, float) and found is not None:
        assert abs(found - expected) <= max(rel * abs(expected), 1e-6), (path, found, expected)
    else:
        assert found == expected, path
