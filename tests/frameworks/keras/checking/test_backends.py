"""A check changes nothing and measures the same on each backend of Keras."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from frameworks.keras.checking import on_backend
from frameworks.vital_numbers import close


@pytest.fixture(scope="module")
def expected():
    return on_backend.check()


def test_a_batch_that_does_not_fit_into_memory():
    on_backend.cut()


def test_all_kinds_of_layers_are_seen(expected):
    found = [(one["kind"], one["function"]) for one in expected["layers"]]
    assert found == [
        ("weights", ""), ("activation", "relu"), ("norm", ""), ("weights", ""), ("activation", "gelu"),
        ("norm", ""), *[("weights", "")] * 3, ("attention", ""), ("weights", ""), *[("weights", "")] * 3,
        ("attention", ""), ("weights", ""), ("recurrent", "tanh"), ("weights", ""), ("activation", "silu"),
        ("weights", ""), ("activation", "sigmoid"), ("weights", ""),
    ]  # fmt: skip
    plain, causal = (one["entropy"] for one in expected["layers"] if one["kind"] == "attention")
    assert 0.5 < plain < 1
    assert 0.5 < causal < 1
    assert expected["output"][2:4] == ["cross_entropy", "softmax"]


@pytest.mark.parametrize("backend", ["torch", "tensorflow"])
def test_other_backends(expected, backend):
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, on_backend.__file__, backend]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout.splitlines()[-1])
    close(without_zeros(there), without_zeros(expected), rel=2e-3)


def without_zeros(found):
    """Leave out the shares of exact zeros: gradients of keys' biases are rounding alone."""
    return found | {"parameters": [one[:-1] for one in found["parameters"]]}
