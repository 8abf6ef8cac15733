"""What a module's parameters are distributed by."""

from fanin.frameworks.torch.laws.declared import recorded
from fanin.frameworks.torch.laws.weights import Weights, weights_of

__all__ = ["Weights", "recorded", "weights_of"]
