"""Flax NNX: modules are objects whose attributes are variables, and a shared variable is a tie."""
