"""What a module's parameters are distributed by."""

from fanin.frameworks.torch.laws.declared import declaring, recorded
from fanin.frameworks.torch.laws.weights import Weights, weights_of

__all__ = ["Weights", "declaring", "recorded", "weights_of"]
