"""A module's graph by symbolic tracing."""

from __future__ import annotations

import warnings
from typing import Any

from torch import fx, nn

from fanin.frameworks.torch.holding import held
from fanin.frameworks.torch.layers import is_norm

_LAYERS = (
    nn.Linear, nn.Embedding, nn.modules.conv._ConvNd, nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention
)  # fmt: skip


def traced(model: nn.Module) -> fx.Graph | None:
    """Return the graph of a module's calls, or None where a symbolic trace does not reach its end.

    The module's own code runs, with symbols in the place of tensors: what it keeps of these is put back.

    Example:
        >>> [node.op for node in traced(nn.Sequential(nn.Linear(2, 3))).nodes]
        ['placeholder', 'call_module', 'output']
    """
    try:
        with warnings.catch_warnings(), held(model, parameters=False):
            warnings.simplefilter("ignore")
            return _Tracer(model).trace(model)
    except Exception:  # a trace fails in as many ways as there are models
        return None


class _Tracer(fx.Tracer):
    """PyTorch's, which otherwise goes through all parameters for the name of each one that it meets."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Take layers that derive from PyTorch's for what they derive from, and norms for norms."""
        return isinstance(m, _LAYERS) or is_norm(m) or super().is_leaf_module(m, module_qualified_name)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if not isinstance(attr_val, nn.Parameter) or id(attr_val) not in self._names:
            return super().getattr(attr, attr_val, parameter_proxy_cache)
        name = self._names[id(attr_val)]
        if name not in parameter_proxy_cache:
            parameter_proxy_cache[name] = self.create_proxy("get_attr", name, (), {})
        return parameter_proxy_cache[name]
