"""What a model's signals do: Gaussian moments of activations, gains, stability."""
