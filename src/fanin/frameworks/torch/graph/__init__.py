"""PyTorch modules as signal graphs."""

from fanin.frameworks.torch.graph.inputs import example
from fanin.frameworks.torch.graph.tracing import signal_graph

__all__ = ["example", "signal_graph"]
