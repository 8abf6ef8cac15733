"""Whole models: first weights from the model's own library and from fanin, in seconds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

import fanin
from benchmarks.torchvision_on_cpu import allow_torchvision

ROUNDS = 7
HERE = Path(__file__).parent


class Case(NamedTuple):
    """A model with its library's own initialization, and fanin's scheme of the same distributions."""

    name: str
    model: nn.Module
    own: Callable[[], object]
    scheme: str


def cases() -> list[Case]:
    """Build the models; nothing is downloaded."""
    allow_torchvision()
    import timm
    from transformers import GPT2Config, GPT2LMHeadModel

    vit: Any = timm.create_model("vit_base_patch16_224")
    gpt2: Any = GPT2LMHeadModel(GPT2Config(n_embd=1024, n_layer=24, n_head=16))
    return [
        Case("ViT-B/16 (timm)", vit, vit.init_weights, "truncated_normal(stddev=0.02)"),
        Case("GPT-2 medium (transformers)", gpt2, lambda: gpt2.apply(gpt2._init_weights), "gpt2"),
    ]


def measure() -> dict[str, Any]:
    """Time the models, fanin and the library in turn, and the largest one in a process of its own."""
    done = subprocess.run([sys.executable, str(HERE / "billion.py")], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"billion.py failed:\n{done.stderr}")
    return {
        "rounds": ROUNDS,
        "models": {case.name: _times(case) for case in cases()},
        "billion": json.loads(done.stdout),
    }


@torch.no_grad()
def _times(case: Case) -> dict[str, Any]:
    plan = fanin.plan(case.model, case.scheme)
    programs: dict[str, Callable[[], object]] = {
        "own": case.own,
        "initialize": lambda: fanin.initialize(case.model, case.scheme),
        "apply": lambda: fanin.apply(plan, case.model),
    }
    programs["initialize"]()  # compiled code is loaded once in a process
    rounds = [{name: _seconds(program) for name, program in programs.items()} for _ in range(ROUNDS)]
    return {
        "scheme": case.scheme,
        "parameters": sum(p.numel() for p in case.model.parameters()),
        **{name: min(times[name] for times in rounds) for name in programs},
    }


def _seconds(program: Callable[[], object]) -> float:
    began = time.perf_counter()
    program()
    return time.perf_counter() - began


def lines(result: dict[str, Any]) -> list[str]:
    """Return the results as lines of RESULTS.md."""
    large = result["billion"]
    return [
        "## Whole models",
        "",
        f"The fastest of {result['rounds']} rounds in turn, as other programs only ever add; float32 on the CPU.",
        "",
        "| | parameters | its own init | `initialize` | `apply` | faster by |",
        "|---|---|---|---|---|---|",
        *(_line(name, times) for name, times in result["models"].items()),
        "",
        f"- {large['parameters'] / 1e9:.2f}e9 parameters (60 linear layers of 4096 × 4096), normal: "
        f"{large['normal']:.2f} s from a plan, {large['first']:.2f} s where the memory is new; writing a constant takes "
        f"{large['constant']:.2f} s, {large['constant'] / large['normal']:.0%} of that.",
        f"- Extra memory, at the peak: {large['extra_mib']:.0f} MiB beside the model's "
        f"{large['model_mib']:.0f} MiB.",
    ]


def _line(name: str, times: dict[str, Any]) -> str:
    return (
        f"| {name}, `{times['scheme']}` | {times['parameters'] / 1e6:.0f}e6 | {times['own']:.2f} s "
        f"| {times['initialize']:.2f} s | {times['apply']:.2f} s | {times['own'] / times['initialize']:.1f} |"
    )
