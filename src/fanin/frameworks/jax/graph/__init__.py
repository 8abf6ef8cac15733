"""What a JAX program computes, as a signal graph: the jaxpr of a model's call, operation by operation."""

from fanin.frameworks.jax.graph.signal import signal_graph

__all__ = ["signal_graph"]
