"""What a model is: parameters, their axes, their fans."""
