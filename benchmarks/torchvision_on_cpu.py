"""Let torchvision, and timm with it, import beside a PyTorch without CUDA.

torchvision's wheel holds operators linked to CUDA, which do not load there; but models need none of them. It
is enough that the two operators that torchvision describes at import are declared.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import torch

_DECLARED: list[torch.library.Library] = []


def allow_torchvision() -> None:
    """Declare torchvision's operators if they do not load; to be called before its first import."""
    spec = importlib.util.find_spec("torchvision")
    if _DECLARED or "torchvision" in sys.modules or spec is None or spec.origin is None:
        return
    try:
        torch.ops.load_library(str(Path(spec.origin).parent / "_C.so"))
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _DECLARED.append(library)  # a library's declarations end with it
