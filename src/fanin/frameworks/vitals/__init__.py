"""Vitals from arrays: what JAX and Keras measure alike, in NumPy."""
