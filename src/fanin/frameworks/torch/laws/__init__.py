"""What a module's parameters are distributed by."""

from fanin.frameworks.torch.laws.weights import weights_of

__all__ = ["weights_of"]
