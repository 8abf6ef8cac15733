"""What each of PyTorch's operations becomes; importing it fills the table of converters."""

from fanin.frameworks.torch.graph.ops import (
    attention,
    casts,
    convolutions,
    elementwise,
    norms,
    products,
    recurrent,
    reductions,
    resizing,
    shapes,
)

__all__ = [
    "attention",
    "casts",
    "convolutions",
    "elementwise",
    "norms",
    "products",
    "recurrent",
    "reductions",
    "resizing",
    "shapes",
]
