"""A PyTorch module at step 0: what rules need to know of it, from one batch."""
