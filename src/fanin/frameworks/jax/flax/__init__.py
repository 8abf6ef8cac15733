"""What NNX and Linen, the two module systems of Flax, have in common."""
