"""Check one large model; print the seconds and the memory. A process of its own, for its peak."""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch.nn import functional as f

import fanin
from benchmarks.torchvision_on_cpu import allow_torchvision

allow_torchvision()  # transformers imports it too
_RUNS = 3


def _resnet50() -> tuple[str, torch.nn.Module, Any, Any, Any]:
    import torchvision

    x, y = torch.randn(8, 3, 224, 224), torch.arange(8)
    return "ResNet-50, 8 × 3 × 224²", torchvision.models.resnet50(), x, y, f.cross_entropy


def _gpt2() -> tuple[str, torch.nn.Module, Any, Any, Any]:
    from transformers import GPT2Config, GPT2LMHeadModel

    ids = torch.randint(0, 50257, (4, 64))
    batch = {"input_ids": ids, "labels": ids}
    return "GPT-2, 124M, 4 × 64", GPT2LMHeadModel(GPT2Config()), batch, None, None


def _seconds(run: Callable[[], Any]) -> float:
    times = []
    for _ in range(_RUNS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return median(times)


def _peak() -> float:
    """Return the most memory in use so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    warnings.simplefilter("ignore")
    title, model, x, y, loss = {"resnet50": _resnet50, "gpt2": _gpt2}[sys.argv[1]]()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)

    def step() -> None:
        optimizer.zero_grad()
        value = loss(model(x), y) if loss is not None else model(**x).loss
        value.backward()

    step()
    plain = _seconds(step)
    optimizer.step()  # with its moments, as in training
    step_peak = _peak()
    found = fanin.diagnose(model, x, y, loss=loss)
    check = _seconds(lambda: fanin.diagnose(model, x, y, loss=loss))
    record = {"title": title, "plain": plain, "check": check, "step_peak": step_peak, "peak": _peak()}
    print(json.dumps(record | {"findings": [one.code for one in found.findings]}))


if __name__ == "__main__":
    main()
