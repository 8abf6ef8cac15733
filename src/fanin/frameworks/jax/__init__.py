"""JAX: many runs of one program at once, on every local device."""
