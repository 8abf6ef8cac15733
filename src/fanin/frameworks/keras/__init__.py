"""Keras 3: many seeds at once on JAX; a loop over `fit` elsewhere."""
