"""What a graph's signals will do: a Tensor Program on populations of channels (Yang 2020, arXiv:2009.10685)."""
