"""PyTorch: what a module holds, and what its functions compute."""
