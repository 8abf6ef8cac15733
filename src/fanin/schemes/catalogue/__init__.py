"""The catalogue: every scheme with its formula and its source, one file a family."""

from __future__ import annotations

from fanin.schemes.catalogue import (
    choosing,
    fixed,
    implicit,
    matrix,
    meanfield,
    outputs,
    presets,
    recurrent,
    residual,
    scaling,
    statespace,
    transformers,
    width,
)
from fanin.schemes.registry import ALIASES, CATALOGUE

__all__ = ["ALIASES", "CATALOGUE"]

_FAMILIES = (
    fixed, scaling, matrix, meanfield, residual, transformers, width, recurrent, statespace, implicit,
    outputs, presets, choosing,
)  # fmt: skip
