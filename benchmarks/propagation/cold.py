"""Predict the signals of one case; print the seconds and the memory. A process of its own, for its peak.

What a process does once, imports and the tables of PyTorch's tracer, is done by a small model before.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings

from torch import nn

import fanin
from benchmarks.propagation.cases import CASES
from fanin.frameworks.given import as_given
from fanin.frameworks.signals import Subject


def peak() -> float:
    """Return the most memory in use so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    warnings.simplefilter("ignore")
    case = CASES[sys.argv[1]]
    model = case.build()
    began = time.perf_counter()
    fanin.propagate(nn.Sequential(nn.Linear(4, 4), nn.GELU()), inputs=(2, 4))
    first, before, began = time.perf_counter() - began, peak(), time.perf_counter()
    profile = fanin.propagate(model, case.scheme, inputs=case.inputs)
    seconds, most = time.perf_counter() - began, peak()
    began = time.perf_counter()
    graph = Subject(model, as_given(case.inputs)).graph()
    record = {
        "first": first,
        "seconds": seconds,
        "tracing": time.perf_counter() - began,
        "peak_mib": most,
        "before_mib": before,
        "nodes": len(graph),
        "layers": len(profile),
        "unknown": sum(layer.forward is None or layer.backward is None for layer in profile.layers),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
