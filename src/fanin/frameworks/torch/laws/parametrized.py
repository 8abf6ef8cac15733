"""Laws of what a parametrized weight is computed from, where the law of the weight is given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from fanin.graph.signal import Law, Weight


def spread(model: nn.Module, laws: Mapping[str, Weight]) -> dict[str, Weight]:
    """Return laws, and for each that is a parametrized weight's, those of its parts.

    When a plan is put into a model, PyTorch finds the parts that give the weight its value: of a weight norm
    the direction is the weight and the length its norm; of a spectral norm the part is the weight.

    Args:
        model: Any module.
        laws: By name, "layer.weight" for a parametrized weight too.
    """
    given = dict(laws)
    for path, layer in model.named_modules():
        for name in getattr(layer, "parametrizations", {}) if parametrize.is_parametrized(layer) else ():
            full = f"{path}.{name}" if path else name
            if full in given:
                given |= _parts(f"{path}.parametrizations.{name}".lstrip("."), layer, name, given[full])
    return given


def _parts(prefix: str, layer: Any, name: str, weight: Weight) -> dict[str, Weight]:
    steps = layer.parametrizations[name]
    kind = type(steps[0]).__name__ if len(steps) == 1 else ""
    if kind == parametrizations._WeightNorm.__name__:
        length = _norm_law(weight, steps.original0)
        return {
            f"{prefix}.original0": replace(weight, law=length, parts=()),
            f"{prefix}.original1": weight,
        }
    law = weight if kind == parametrizations._SpectralNorm.__name__ else replace(weight, law=None, parts=())
    return {f"{prefix}.{part}": law for part, _ in steps.named_parameters(recurse=False)}


def _norm_law(weight: Weight, lengths: torch.Tensor) -> Law | None:
    """Return the law of the norms of a weight's rows: of n values their squares' mean is n E[w^2].

    A norm of independent values has half their variance, up to 1 / n.
    """
    law = weight.law
    if law is None:
        return None
    count = weight.size / max(lengths.numel(), 1)
    spread_ = 0.0 if law.orthogonal else law.variance / 2
    return Law(math.sqrt(max(count * law.second_moment - spread_, 0.0)), spread_, "norm")
