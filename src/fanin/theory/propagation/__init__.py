"""What a graph's signals will do: a Tensor Program on populations of channels.

References:
    Yang (2020), Tensor Programs II, arXiv:2006.14548; III, arXiv:2009.10685.
"""
