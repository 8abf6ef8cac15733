"""A Keras model at step 0, on any of its backends: what rules need to know of it, from one batch."""
