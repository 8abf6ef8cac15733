"""A JAX model at step 0: what rules need to know of it, from one batch through its program."""
