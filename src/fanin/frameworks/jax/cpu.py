"""What XLA's CPU compiler should be given in another form to make fast code of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fanin.frameworks.jax.convolutions import channels_last
from fanin.frameworks.jax.products import rows_by_columns
from fanin.frameworks.jax.rewriting import rewritten

_RULES = {"conv_general_dilated": channels_last, "dot_general": rows_by_columns}


def for_cpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function with the same values in the form that XLA compiles best for a CPU.

    Args:
        function: A function of pytrees of arrays, which is not differentiated any more.
    """
    return rewritten(function, _RULES)
